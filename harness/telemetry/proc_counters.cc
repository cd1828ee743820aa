// SPDX-License-Identifier: EUPL-1.2
#include "harness/telemetry/proc_counters.h"

#include <fmt/format.h>
#include <unistd.h>

#include <sstream>

#include "backend/gpu/sysfs.h"

namespace harness {
namespace {

double TicksPerSecond() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

}  // namespace

std::optional<HostTimes> ReadHostTimes(const rocm::gpu::Places& places) {
  std::istringstream file(rocm::gpu::ReadText(places.At("/proc/stat")).value_or(""));
  std::string name;
  if (!(file >> name) || name != "cpu") return std::nullopt;
  HostTimes times;
  for (int field = 0; field < 8; ++field) {
    double ticks = 0;
    if (!(file >> ticks)) return std::nullopt;
    times.total += ticks / TicksPerSecond();
    if (field != 3 && field != 4) times.busy += ticks / TicksPerSecond();  // idle, iowait
  }
  return times;
}

// Fields 5, 14, 15 and 24 of /proc/PID/stat; the name in field 2 may hold anything, even ')'.
std::optional<ProcessTimes> ReadProcess(const rocm::gpu::Places& places, int pid) {
  if (pid < 0) return std::nullopt;
  const auto line = rocm::gpu::ReadText(places.At(fmt::format("/proc/{}/stat", pid)));
  const auto name_end = line ? line->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line->substr(name_end + 1));
  std::string skipped;
  ProcessTimes times;
  rest >> skipped >> skipped >> times.group;
  for (int field = 6; field < 14; ++field) rest >> skipped;
  double user = 0, system = 0;
  rest >> user >> system;
  for (int field = 16; field < 24; ++field) rest >> skipped;
  std::int64_t pages = 0;
  rest >> pages;
  if (!rest) return std::nullopt;
  times.cpu_s = (user + system) / TicksPerSecond();
  times.rss_bytes = pages * ::sysconf(_SC_PAGESIZE);
  return times;
}

std::map<std::string, PackageEnergy> ReadPackageEnergy(const rocm::gpu::Places& places) {
  std::map<std::string, PackageEnergy> zones;
  // "intel-rapl:0" on AMD too. Its parts are "intel-rapl:0:0"; "psys" counts the packages again.
  for (const auto& [number, zone] :
       rocm::gpu::Numbered(places.At("/sys/class/powercap"), "intel-rapl:")) {
    const std::string name = rocm::gpu::ReadText(zone + "/name").value_or("");
    const auto energy = rocm::gpu::ReadUnsigned(zone + "/energy_uj");
    if (!name.starts_with("package") || !energy) continue;
    zones[name] = {*energy, rocm::gpu::ReadUnsigned(zone + "/max_energy_range_uj").value_or(0)};
  }
  return zones;
}

std::optional<double> JoulesBetween(const std::map<std::string, PackageEnergy>& before,
                                    const std::map<std::string, PackageEnergy>& after) {
  std::optional<double> joules;
  for (const auto& [name, now] : after) {
    const auto then = before.find(name);
    if (then == before.end()) continue;
    std::uint64_t used = now.microjoules - then->second.microjoules;
    if (now.microjoules < then->second.microjoules) used += now.range;
    joules = joules.value_or(0) + static_cast<double>(used) * 1e-6;
  }
  return joules;
}

}  // namespace harness
