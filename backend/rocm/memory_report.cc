// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/memory_report.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

namespace rocm {
namespace {

constexpr double kMiB = 1024.0 * 1024;

// "CPU", "CPU_Mapped", "CPU_REPACK"; and the pinned memory of a GPU back end, "ROCm_Host".
bool IsHost(std::string_view device) {
  return device.starts_with("CPU") || device.ends_with("_Host");
}

std::string Words(const MemoryReport::Side& side, std::string_view where) {
  const auto error = side.error();
  return fmt::format("estimated {:.2f} GiB on the {}, allocated {:.2f} GiB{}",
                     static_cast<double>(side.estimated) / (1024 * kMiB), where,
                     static_cast<double>(side.allocated) / (1024 * kMiB),
                     error ? fmt::format(" ({:+.1f} %)", *error * 100) : "");
}

}  // namespace

std::optional<double> MemoryReport::Side::error() const {
  if (allocated == 0) return std::nullopt;
  return static_cast<double>(estimated) / static_cast<double>(allocated) - 1.0;
}

std::string MemoryReport::ToString() const {
  if (device.allocated == 0) return Words(host, "host");
  return Words(device, "device") + "; " + Words(host, "host");
}

std::optional<MemoryReport> CompareMemory(const gguf::MemoryEstimate& estimate,
                                          const llama_server::LogFacts& facts) {
  if (facts.buffers.empty()) return std::nullopt;
  MemoryReport report;
  report.device.estimated = estimate.device.total() - estimate.device.overhead;
  report.host.estimated = estimate.host.total() - estimate.host.overhead;
  for (const llama_server::LoggedBuffer& buffer : facts.buffers) {
    MemoryReport::Side& side = IsHost(buffer.device) ? report.host : report.device;
    side.allocated += static_cast<std::uint64_t>(std::llround(buffer.mib * kMiB));
  }
  return report;
}

}  // namespace rocm
