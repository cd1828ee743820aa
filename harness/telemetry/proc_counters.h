// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "backend/gpu/places.h"

namespace harness {

// Counters of the kernel that grow; the difference of two looks says what happened between them.

struct HostTimes {  // in core-seconds, of all cores together
  double busy = 0;
  double total = 0;
};
[[nodiscard]] std::optional<HostTimes> ReadHostTimes(const rocm::gpu::Places& places);

struct ProcessTimes {
  double cpu_s = 0;
  std::int64_t rss_bytes = 0;
  int group = 0;  // process group
};
[[nodiscard]] std::optional<ProcessTimes> ReadProcess(const rocm::gpu::Places& places, int pid);

// Energy of the processors' packages, from /sys/class/powercap (RAPL, Intel's and AMD's); usually
// root's to read. By zone, in microjoules, each up to its own range and then from 0 again.
struct PackageEnergy {
  std::uint64_t microjoules = 0;
  std::uint64_t range = 0;
};
[[nodiscard]] std::map<std::string, PackageEnergy> ReadPackageEnergy(
    const rocm::gpu::Places& places);

// Joules between two looks at the same zones; nullopt where there are none.
[[nodiscard]] std::optional<double> JoulesBetween(
    const std::map<std::string, PackageEnergy>& before,
    const std::map<std::string, PackageEnergy>& after);

}  // namespace harness
