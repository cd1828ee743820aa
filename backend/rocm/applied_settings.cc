// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/applied_settings.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>

#include "backend/gpu/mask.h"
#include "backend/gpu/vram.h"
#include "backend/http/control_client.h"

namespace rocm {
namespace {

// "VmRSS:     1234 kB" → bytes.
std::int64_t KilobytesOf(std::string_view line) {
  const auto begin = line.find_first_of("0123456789");
  if (begin == std::string_view::npos) return 0;
  std::int64_t value = 0;
  std::from_chars(line.data() + begin, line.data() + line.size(), value);
  return value * 1024;
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// A build without any GPU says nothing of layers; the buffers show that it has said all it will.
int OffloadedLayers(const llama_server::LogFacts& facts) {
  const bool silent = facts.layers_offloaded < 0 && !facts.buffers.empty();
  return silent && std::ranges::none_of(facts.devices, &llama_server::LoggedDevice::used)
             ? 0
             : facts.layers_offloaded;
}

// The predecessor's every-load crash came from tensors that went onto the processor's own GPU.
Result<void> CheckDevice(const LoadPlan& plan, const AppliedSettings& applied) {
  if (plan.server.load.gpu_layers == 0) return {};
  if (applied.gpu_layers == 0) {
    return Fail(ErrorCode::kBackendUnavailable,
                "llama-server put no layer on a GPU: is it a build with " + plan.backend +
                    " support? Use one, or the backend \"cpu\"");
  }
  const std::string_view prefix = gpu::DeviceNamePrefix(plan.runtime);
  for (const std::string& name : applied.devices) {
    if (!name.starts_with(prefix)) {
      return Fail(ErrorCode::kDeviceError,
                  "llama-server put the model on " + Join(applied.devices) + ", not on a " +
                      std::string(prefix) +
                      " device: its build has several backends. Pin a device, or use a build with "
                      "this backend alone");
    }
    if (!plan.expected_device.empty() && name != plan.expected_device) {
      return Fail(ErrorCode::kDeviceError, "llama-server put the model on " +
                                               Join(applied.devices) + " where " +
                                               plan.expected_device + " was pinned");
    }
  }
  return {};
}

}  // namespace

Applied DescribeApplied(const wire::ServerProps& props, const llama_server::LogFacts& facts) {
  Applied applied;
  applied.build = props.build_info.empty() ? facts.build : props.build_info;
  AppliedSettings& settings = applied.settings;
  settings.slots = props.total_slots >= 0 ? props.total_slots : facts.slots;
  settings.context_per_slot =
      props.context_per_slot >= 0 ? props.context_per_slot : facts.context_per_slot;
  settings.gpu_layers = OffloadedLayers(facts);
  settings.flash_attention = facts.flash_attention;
  settings.kv_type_k = facts.kv_type_k;
  settings.kv_type_v = facts.kv_type_v;
  for (const auto& device : facts.devices) {
    if (device.used) settings.devices.push_back(device.name);
  }
  return applied;
}

Result<void> CheckApplied(const LoadPlan& plan, const AppliedSettings& applied) {
  if (applied.slots >= 0 && applied.slots != plan.server.slots) {
    return Fail(ErrorCode::kInternal, "llama-server runs " + std::to_string(applied.slots) +
                                          " slots where " + std::to_string(plan.server.slots) +
                                          " were asked for");
  }
  // More is harmless: builds round up.
  if (applied.context_per_slot >= 0 && applied.context_per_slot < plan.server.context_per_slot) {
    return Fail(ErrorCode::kInvalidArgument,
                "llama-server gives each slot a context of " +
                    std::to_string(applied.context_per_slot) + " tokens where " +
                    std::to_string(plan.server.context_per_slot) +
                    " were asked for: the model or the memory does not allow more");
  }
  return CheckDevice(plan, applied);
}

Result<Applied> VerifyServer(const LoadPlan& plan, const llama_server::Server& server) {
  const auto reply = http::ControlClient(server.endpoint()).GetOk("/props");
  if (!reply) return Fail(server.Explain(reply.error()));
  const auto props = wire::ParseProps(reply->body);
  if (!props) return Fail(server.Explain(props.error()));
  Applied applied = DescribeApplied(*props, server.facts());
  if (auto ok = CheckApplied(plan, applied.settings); !ok) return Fail(std::move(ok.error()));
  return applied;
}

ProcessMemory ReadProcessMemory(pid_t pid, const std::optional<gpu::Device>& device) {
  ProcessMemory memory;
  if (device) {
    if (const auto bytes = gpu::ReadProcessMemory(*device, pid)) {
      memory.active_bytes = memory.peak_bytes = static_cast<std::int64_t>(*bytes);
      return memory;
    }
  }
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) memory.active_bytes = KilobytesOf(line);
    if (line.starts_with("VmHWM:")) memory.peak_bytes = KilobytesOf(line);
  }
  return memory;
}

}  // namespace rocm
