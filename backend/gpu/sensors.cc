// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/sensors.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "backend/gpu/nvml.h"
#include "backend/gpu/sysfs.h"

namespace rocm::gpu {
namespace {

std::optional<double> Scaled(const std::string& path, double scale) {
  const std::optional<std::uint64_t> value = ReadUnsigned(path);
  return value ? std::optional(static_cast<double>(*value) * scale) : std::nullopt;
}

// hwmon names its inputs by label: "edge", "junction", "mem"; "sclk", "mclk".
std::optional<double> Labelled(const std::string& hwmon, const std::string& kind,
                               std::string_view label, double scale) {
  for (int i = 1; i <= 8; ++i) {
    const std::string input = hwmon + "/" + kind + std::to_string(i);
    if (ReadText(input + "_label") == label) return Scaled(input + "_input", scale);
  }
  return std::nullopt;
}

// amdgpu's gpu_metrics, version 1.3 (kgd_pp_interface.h), which discrete cards since RDNA 2 have.
// Its last field is a throttle status whose bits mean the same on all of them (amdgpu_smu.h): 0-15
// power, 32-55 temperature.
void ReadThrottling(const std::string& device, Sensors& sensors) {
  constexpr std::size_t kSize = 120;
  constexpr std::size_t kStatus = 112;
  constexpr std::uint64_t kPower = 0xffff;
  constexpr std::uint64_t kHeat = 0x00ff'ffff'0000'0000;
  const std::string metrics = ReadText(device + "/gpu_metrics").value_or("");
  if (metrics.size() < kSize || metrics[2] != 1 || metrics[3] != 3) return;
  std::uint64_t status = 0;
  std::memcpy(&status, metrics.data() + kStatus, sizeof status);
  // All ones: the driver has no figure.
  if (status == ~std::uint64_t{0}) return;
  sensors.throttled = (status & kHeat) != 0;
  sensors.power_limited = (status & kPower) != 0;
}

Sensors ReadAmd(const std::string& device) {
  Sensors sensors;
  ReadThrottling(device, sensors);
  sensors.busy_percent = Scaled(device + "/gpu_busy_percent", 1);
  for (const auto& [number, hwmon] : Numbered(device + "/hwmon", "hwmon")) {
    sensors.temperature_celsius = Labelled(hwmon, "temp", "edge", 1e-3);
    sensors.hotspot_celsius = Labelled(hwmon, "temp", "junction", 1e-3);
    sensors.memory_celsius = Labelled(hwmon, "temp", "mem", 1e-3);
    sensors.core_clock_mhz = Labelled(hwmon, "freq", "sclk", 1e-6);
    sensors.memory_clock_mhz = Labelled(hwmon, "freq", "mclk", 1e-6);
    // Newer drivers call the same reading an input.
    sensors.power_watts = Scaled(hwmon + "/power1_average", 1e-6);
    if (!sensors.power_watts) sensors.power_watts = Scaled(hwmon + "/power1_input", 1e-6);
    sensors.power_cap_watts = Scaled(hwmon + "/power1_cap", 1e-6);
    break;
  }
  return sensors;
}

}  // namespace

Sensors ReadSensors(const Device& device, const Places& places) {
  if (device.vendor == Vendor::kNvidia) return Nvml::Open(places.nvml)->Read(device.uuid);
  return device.sysfs.empty() ? Sensors{} : ReadAmd(device.sysfs);
}

}  // namespace rocm::gpu
