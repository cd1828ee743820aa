// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/preflight.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>

#include "backend/backend.h"
#include "backend/gguf/estimate.h"
#include "backend/llama_server/device_list.h"
#include "backend/llama_server/server.h"
#include "backend/rocm/device_plan.h"
#include "harness/target/managed_target.h"

namespace harness {
namespace {

using rocm::llama_server::ListDevices;
using rocm::llama_server::ListedDevice;

double GiB(std::uint64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024 * 1024); }

std::optional<rocm::BackendKind> KindNamed(std::string_view name) {
  for (const auto kind :
       {rocm::BackendKind::kRocm, rocm::BackendKind::kCuda, rocm::BackendKind::kVulkan,
        rocm::BackendKind::kSycl, rocm::BackendKind::kCpu}) {
    if (rocm::ToString(kind) == name) return kind;
  }
  return std::nullopt;
}

std::string Names(const std::vector<ListedDevice>& devices) {
  std::string names;
  for (const ListedDevice& device : devices) {
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", device.name, device.description);
  }
  return names.empty() ? "none" : names;
}

// `listed` is what the binary sees behind the mask.
rocm::Result<ListedDevice> Pick(rocm::BackendKind kind, const rocm::gpu::Mask& mask,
                                const TargetOptions& options, const std::string& binary,
                                const std::vector<ListedDevice>& listed,
                                const std::map<std::string, std::string>& set) {
  const std::string_view prefix = rocm::gpu::DeviceNamePrefix(rocm::RuntimeOf(kind));
  for (const ListedDevice& device : listed) {
    const bool wanted = mask.expected_device.empty() ? device.name.starts_with(prefix)
                                                     : device.name == mask.expected_device;
    if (wanted) return device;
  }
  // Without the mask: is it the build that lacks support, or the pin that names nothing?
  const auto all = ListDevices(binary, {}, set);
  const bool supported = all && *all && std::ranges::any_of(**all, [&](const ListedDevice& device) {
                           return device.name.starts_with(prefix);
                         });
  if (supported) {
    const std::string pin = options.device.empty() ? mask.respected : options.device;
    return rocm::Fail(
        rocm::ErrorCode::kInvalidArgument,
        fmt::format("no device '{}'; {} lists {}", pin.substr(0, 80), binary, Names(**all)));
  }
  return rocm::Fail(rocm::ErrorCode::kBackendUnavailable,
                    fmt::format("{} has no {} support, or sees no such device: it lists {}; take "
                                "a build with it, or --backend cpu",
                                binary, rocm::ToString(kind), Names(listed)));
}

// Without a pin llama-server spreads a model over all it sees, so no single one says what fits.
bool MayUseSeveral(rocm::BackendKind kind, const rocm::gpu::Mask& mask,
                   const std::vector<ListedDevice>& listed) {
  const std::string_view prefix = rocm::gpu::DeviceNamePrefix(rocm::RuntimeOf(kind));
  return mask.expected_device.empty() &&
         std::ranges::count_if(listed, [&](const ListedDevice& device) {
           return device.name.starts_with(prefix);
         }) > 1;
}

std::optional<std::uint64_t> AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("MemAvailable:")) continue;
    std::string_view rest = std::string_view(line).substr(line.find_first_of("0123456789"));
    std::uint64_t kib = 0;
    const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), kib);
    if (end.ec == std::errc()) return kib * 1024;
  }
  return std::nullopt;
}

}  // namespace

rocm::Result<Room> FindRoom(const TargetOptions& options, const ServerSettings& settings) {
  const auto backend = ChooseBackend(options);
  if (!backend) return tl::unexpected(backend.error());
  Room room;
  room.backend = (*backend)->Name();
  const auto kind = KindNamed(room.backend);
  if (!kind) return room;  // somebody's own
  if (*kind == rocm::BackendKind::kCpu || settings.gpu_layers.value_or(-1) == 0) {
    room.label = "this machine's memory";
    room.free_bytes = AvailableMemory();
    return room;
  }
  const auto plan =
      rocm::PlanDevice(*kind, MakeLoadConfig(options, settings, 1), rocm::OwnEnvironment());
  if (!plan) return tl::unexpected(plan.error());
  if (plan->device) room.label = rocm::gpu::Describe(*plan->device);
  room.free_bytes = plan->free_device_bytes;

  const auto binary = rocm::llama_server::FindServerBinary(options.server_binary);
  if (!binary) return room;  // who starts it will say so
  const auto listed = ListDevices(*binary, plan->mask, settings.environment);
  if (!listed) return tl::unexpected(listed.error());
  if (!*listed) return room;
  const auto picked = Pick(*kind, plan->mask, options, *binary, **listed, settings.environment);
  if (!picked) return tl::unexpected(picked.error());
  if (room.label.empty()) room.label = fmt::format("{}: {}", picked->name, picked->description);
  if (!room.free_bytes && !MayUseSeveral(*kind, plan->mask, **listed)) {
    room.free_bytes = picked->free_bytes;
  }
  return room;
}

rocm::Result<void> CheckFits(const rocm::gguf::Metadata& metadata, const TargetOptions& options,
                             const ServerSettings& settings, const Room& room) {
  if (options.ignore_estimate || !room.free_bytes) return {};
  rocm::LoadConfig config = MakeLoadConfig(options, settings, 1);
  if (room.backend != "cpu" && config.gpu_layers != 0) {
    rocm::DevicePlan plan;
    plan.free_device_bytes = room.free_bytes;
    plan.label = room.label;
    const auto context = rocm::FitContext(metadata, config, plan);
    if (!context) return tl::unexpected(context.error());
    return {};
  }
  config.gpu_layers = 0;
  const auto estimate = rocm::gguf::EstimateMemory(metadata, rocm::MemoryRequestOf(config));
  if (!estimate || !estimate->proven || estimate->host.total() <= *room.free_bytes) return {};
  return rocm::Fail(
      rocm::ErrorCode::kInsufficientMemory,
      fmt::format("{} needs {:.1f} GiB and {} has {:.1f} GiB free: take a smaller model, or "
                  "--ignore-estimate",
                  metadata.path, GiB(estimate->host.total()), room.label, GiB(*room.free_bytes)));
}

}  // namespace harness
