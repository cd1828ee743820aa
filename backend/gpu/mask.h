// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "backend/gpu/devices.h"

namespace rocm::gpu {

enum class Runtime { kRocm, kCuda, kVulkan, kSycl, kCpu };

// How a child process is kept to one device.
struct Mask {
  std::map<std::string, std::string> set;  // environment variables
  std::vector<std::string> cleared;        // that must not reach the child
  // For llama-server's --device; empty: not given. The variables hide the runtime's other devices,
  // this those of other runtimes that the same build may have.
  std::string device_argument;
  // How the server's log will name the device: "ROCm0". Empty where that is not known.
  std::string expected_device;
  // The user's own pin, where it was left as it is: "HIP_VISIBLE_DEVICES=1". Empty otherwise.
  std::string respected;

  friend bool operator==(const Mask&, const Mask&) = default;
};

// How llama-server's names of a runtime's devices begin: "ROCm", "CUDA". Empty for the processor.
[[nodiscard]] std::string_view DeviceNamePrefix(Runtime runtime);

// The variables that hide devices from a runtime, most specific first.
[[nodiscard]] std::vector<std::string_view> MaskVariables(Runtime runtime);

// One mask is set and its rivals are cleared, since two that count differently can hide
// everything. Without a `pin` of the caller, a mask that the user has set stays as it is. For
// ROCm, CUDA and SYCL `device` is what ChooseDevice() gave; it may be null for the others, and
// where a respected mask makes the choice. `environment` is the user's. Fails with kInvalidArgument
// for a pin that the runtime has no way to express.
[[nodiscard]] Result<Mask> MaskFor(Runtime runtime, const Device* device, std::string_view pin,
                                   const std::map<std::string, std::string>& environment);

}  // namespace rocm::gpu
