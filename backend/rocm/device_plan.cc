// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/device_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "backend/gpu/vram.h"

namespace rocm {
namespace {

double GiB(std::uint64_t bytes) { return static_cast<double>(bytes) / (1ULL << 30); }

std::string Figures(const gguf::MemoryEstimate& estimate) {
  return fmt::format(
      "{:.1f} GiB (weights {:.1f}, KV cache {:.1f} for {} tokens a slot, rest {:.1f})",
      GiB(estimate.device.total()), GiB(estimate.device.weights), GiB(estimate.device.kv),
      estimate.context_per_slot, GiB(estimate.device.compute + estimate.device.overhead));
}

tl::unexpected<Error> Unavailable(BackendKind kind, const gpu::Access& access) {
  return Fail(ErrorCode::kBackendUnavailable,
              fmt::format("backend {} cannot be used here: {}", ToString(kind),
                          fmt::join(access.reasons, "; ")));
}

}  // namespace

gguf::MemoryRequest MemoryRequestOf(const LoadConfig& config) {
  gguf::MemoryRequest request;
  request.context_per_slot = config.context_len;
  request.slots = std::max(config.parallel_slots, 1);
  request.gpu_layers = config.gpu_layers;
  request.kv_type_k = config.kv_type_k;
  request.kv_type_v = config.kv_type_v;
  request.flash_attention = config.flash_attention != FlashAttention::kOff;
  return request;
}

gpu::Runtime RuntimeOf(BackendKind kind) {
  switch (kind) {
    case BackendKind::kRocm: return gpu::Runtime::kRocm;
    case BackendKind::kCuda: return gpu::Runtime::kCuda;
    case BackendKind::kVulkan: return gpu::Runtime::kVulkan;
    case BackendKind::kSycl: return gpu::Runtime::kSycl;
    case BackendKind::kCpu: return gpu::Runtime::kCpu;
  }
  return gpu::Runtime::kCpu;
}

std::map<std::string, std::string> OwnEnvironment() {
  std::map<std::string, std::string> environment;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Result<DevicePlan> PlanDevice(BackendKind kind, const LoadConfig& config,
                              const std::map<std::string, std::string>& environment,
                              const gpu::Places& places) {
  DevicePlan plan;
  if (kind == BackendKind::kRocm || kind == BackendKind::kCuda) {
    const gpu::Inventory inventory = gpu::Probe(places);
    const bool rocm = kind == BackendKind::kRocm;
    const gpu::Access& access = rocm ? inventory.rocm : inventory.cuda;
    if (!access.usable) return Unavailable(kind, access);
    auto device = gpu::ChooseDevice(inventory, rocm ? gpu::Vendor::kAmd : gpu::Vendor::kNvidia,
                                    config.device);
    if (!device) return Fail(std::move(device.error()));
    plan.device = std::move(*device);
  }
  auto mask = gpu::MaskFor(RuntimeOf(kind), plan.device ? &*plan.device : nullptr, config.device,
                           environment);
  if (!mask) return Fail(std::move(mask.error()));
  plan.mask = std::move(*mask);
  // With the user's own mask in force the server may see another device than the one chosen here.
  if (!plan.mask.respected.empty()) plan.device.reset();
  // A processor's own GPU takes its memory from the machine's; what is set aside for it says
  // little.
  if (plan.device && plan.device->kind == gpu::Kind::kDiscrete) {
    if (const auto memory = gpu::ReadCardMemory(*plan.device, places)) {
      plan.free_device_bytes = memory->free();
    }
  }
  return plan;
}

Result<int> FitContext(const gguf::Metadata& metadata, const LoadConfig& config,
                       const DevicePlan& device) {
  const gguf::MemoryRequest request = MemoryRequestOf(config);
  const int wanted = config.context_len > 0 ? config.context_len : gguf::AutomaticContext(metadata);
  if (!device.free_device_bytes || config.gpu_layers == 0 || config.ignore_estimate) return wanted;
  const auto estimate = gguf::EstimateMemory(metadata, request);
  // What the estimate does not understand, the server may.
  if (!estimate || !estimate->proven) return wanted;
  if (gguf::Fits(*estimate, *device.free_device_bytes)) return wanted;
  if (config.context_len == 0) {
    const auto smaller = gguf::LargestContextThatFits(metadata, request, *device.free_device_bytes);
    if (smaller && *smaller > 0) return *smaller;
  }
  return Fail(ErrorCode::kInsufficientMemory,
              fmt::format("{} needs {} and {} has {:.1f} GiB free: take a smaller model, fewer "
                          "gpu_layers, a shorter context or set ignore_estimate",
                          metadata.path, Figures(*estimate),
                          !device.label.empty() ? device.label
                          : device.device       ? gpu::Describe(*device.device)
                                                : "the device",
                          GiB(*device.free_device_bytes)));
}

}  // namespace rocm
