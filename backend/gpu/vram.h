// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "backend/gpu/devices.h"
#include "backend/gpu/places.h"

namespace rocm::gpu {

// Bytes. `used` never exceeds `total`, whatever the driver says.
struct CardMemory {
  std::uint64_t total = 0;
  std::uint64_t used = 0;
  [[nodiscard]] std::uint64_t free() const { return total - used; }
  friend bool operator==(const CardMemory&, const CardMemory&) = default;
};

// Of the whole card; nullopt where the driver does not say.
[[nodiscard]] std::optional<CardMemory> ReadCardMemory(const Device& device,
                                                       const Places& places = {});

// What one process holds on the device: by DRM's fdinfo and by KFD, whichever is more, or by NVML.
// nullopt where neither says anything about it: no such process, not ours to look at, or nothing
// held.
[[nodiscard]] std::optional<std::uint64_t> ReadProcessMemory(const Device& device, int pid,
                                                             const Places& places = {});

// The processes that compute on the device, as far as KFD or NVML shows them.
[[nodiscard]] std::vector<int> ProcessesOn(const Device& device, const Places& places = {});

}  // namespace rocm::gpu
