// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/mask.h"

#include <fmt/format.h>

#include <algorithm>

namespace rocm::gpu {
namespace {

using Environment = std::map<std::string, std::string>;

// The user's masks for this runtime, as they are; empty where there are none.
std::string UsersOwn(Runtime runtime, const Environment& environment) {
  std::string own;
  for (const std::string_view name : MaskVariables(runtime)) {
    const auto at = environment.find(std::string(name));
    if (at == environment.end()) continue;
    own += fmt::format("{}{}={}", own.empty() ? "" : " ", name, at->second);
  }
  return own;
}

// Sets one and clears its rivals.
Mask Only(Runtime runtime, std::string_view variable, std::string value) {
  Mask mask;
  mask.set.emplace(variable, std::move(value));
  for (const std::string_view name : MaskVariables(runtime)) {
    if (name != variable) mask.cleared.emplace_back(name);
  }
  return mask;
}

Mask Rocm(const Device& device) {
  Mask mask = Only(Runtime::kRocm, "ROCR_VISIBLE_DEVICES",
                   device.uuid.empty() ? std::to_string(device.ordinal) : device.uuid);
  // No --device: a scenario that lifts the variable means all cards.
  mask.expected_device = "ROCm0";
  return mask;
}

Mask Cuda(const Device& device) {
  Mask mask = Only(Runtime::kCuda, "CUDA_VISIBLE_DEVICES",
                   device.uuid.empty() ? std::to_string(device.ordinal) : device.uuid);
  // NVML counts by bus address; CUDA does only if told to.
  mask.set.emplace("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
  mask.device_argument = mask.expected_device = "CUDA0";
  return mask;
}

bool IsNumber(std::string_view text) {
  return !text.empty() && text.size() < 4 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view WithoutPrefix(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

Result<Mask> Vulkan(std::string_view pin) {
  if (pin.empty()) return Mask{};  // ggml leaves integrated and software devices aside by itself
  const std::string_view number = WithoutPrefix(pin, "Vulkan");
  if (!IsNumber(number)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("Vulkan devices are pinned by number (\"0\", \"Vulkan0\"), not by '{}'",
                            pin.substr(0, 80)));
  }
  Mask mask = Only(Runtime::kVulkan, "GGML_VK_VISIBLE_DEVICES", std::string(number));
  mask.device_argument = mask.expected_device = "Vulkan0";  // it is counted anew behind the mask
  return mask;
}

Result<Mask> Sycl(std::string_view pin) {
  if (pin.empty()) return Mask{};
  const std::string_view number = WithoutPrefix(pin, "SYCL");
  const bool selector = pin.find(':') != std::string_view::npos;
  if (!IsNumber(number) && !selector) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("SYCL devices are pinned by number or as \"level_zero:0\", not by '{}'",
                            pin.substr(0, 80)));
  }
  Mask mask = Only(Runtime::kSycl, "ONEAPI_DEVICE_SELECTOR",
                   selector ? std::string(pin) : fmt::format("level_zero:{}", number));
  mask.device_argument = mask.expected_device = "SYCL0";
  return mask;
}

}  // namespace

std::string_view DeviceNamePrefix(Runtime runtime) {
  switch (runtime) {
    case Runtime::kRocm: return "ROCm";
    case Runtime::kCuda: return "CUDA";
    case Runtime::kVulkan: return "Vulkan";
    case Runtime::kSycl: return "SYCL";
    case Runtime::kCpu: break;
  }
  return "";
}

std::vector<std::string_view> MaskVariables(Runtime runtime) {
  switch (runtime) {
    case Runtime::kRocm:
      return {"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES",
              "GPU_DEVICE_ORDINAL"};
    case Runtime::kCuda: return {"CUDA_VISIBLE_DEVICES"};
    case Runtime::kVulkan: return {"GGML_VK_VISIBLE_DEVICES"};
    case Runtime::kSycl: return {"ONEAPI_DEVICE_SELECTOR"};
    case Runtime::kCpu: break;
  }
  return {};
}

Result<Mask> MaskFor(Runtime runtime, const Device* device, std::string_view pin,
                     const std::map<std::string, std::string>& environment) {
  if (runtime == Runtime::kCpu) {
    // A build with several backends must not put anything on a GPU.
    Mask mask;
    mask.device_argument = "none";
    return mask;
  }
  if (pin.empty()) {
    if (std::string own = UsersOwn(runtime, environment); !own.empty()) {
      Mask mask;
      mask.respected = std::move(own);
      return mask;
    }
  }
  if (runtime == Runtime::kVulkan) return Vulkan(pin);
  if (runtime == Runtime::kSycl) return Sycl(pin);
  if (device == nullptr) return Fail(ErrorCode::kInvalidArgument, "no device to pin to");
  return runtime == Runtime::kRocm ? Rocm(*device) : Cuda(*device);
}

}  // namespace rocm::gpu
