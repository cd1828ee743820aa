// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>

#include "backend/gpu/devices.h"
#include "backend/gpu/places.h"

namespace rocm::gpu {

// One look at a device. What the driver does not offer is nullopt.
struct Sensors {
  std::optional<double> temperature_celsius;  // edge, or the GPU's one
  std::optional<double> hotspot_celsius;      // AMD's junction
  std::optional<double> memory_celsius;
  std::optional<double> power_watts;  // averaged by the driver
  std::optional<double> power_cap_watts;
  std::optional<double> core_clock_mhz;
  std::optional<double> memory_clock_mhz;
  std::optional<double> busy_percent;
  std::optional<bool> throttled;      // slowed down by heat, or by the hardware to protect itself
  std::optional<bool> power_limited;  // at the power cap: normal under load

  friend bool operator==(const Sensors&, const Sensors&) = default;
};

[[nodiscard]] Sensors ReadSensors(const Device& device, const Places& places = {});

}  // namespace rocm::gpu
