// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <vector>

#include "backend/gpu/devices.h"
#include "backend/gpu/places.h"

namespace rocm::gpu {

// The AMD GPUs: those of KFD's topology in ROCr's order, then those that only DRM knows.
[[nodiscard]] std::vector<Device> AmdDevices(const Places& places);

// Whether this process can use them through ROCm.
[[nodiscard]] Access RocmAccess(const Places& places, const std::vector<Device>& devices);

}  // namespace rocm::gpu
