// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

#include "backend/gpu/devices.h"
#include "harness/record/fingerprint.h"

namespace harness {

// A device as the fingerprint keeps it: identity, and the covariates that explain most changes of
// speed. Read from /sys, /proc and /opt below `root`; what cannot be read is left empty.
//   driver   AMD: /sys/module/amdgpu/version (the one of a separate package; the kernel's own has
//            none and changes with the kernel), NVIDIA: /proc/driver/nvidia/version
//   runtime  AMD: /opt/rocm/.info/version
[[nodiscard]] GpuFacts FactsOf(const rocm::gpu::Device& device, const std::string& root = "");

}  // namespace harness
