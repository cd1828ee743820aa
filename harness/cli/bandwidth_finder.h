// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "harness/measure/bandwidth_use.h"
#include "harness/target/target.h"
#include "harness/telemetry/memory_bandwidth.h"

namespace harness {

// What decode rates of a run are held against: the weights of its model, and the memory that holds
// them. The processor's memory is measured, once, when a server that uses it has started.
class BandwidthFinder {
 public:
  // `given_gb_per_s`: --bandwidth, in 10^9 bytes per second; it counts for any target.
  BandwidthFinder(const TargetOptions& options, std::optional<double> given_gb_per_s);

  // nullopt where nothing can be said: see detail().
  [[nodiscard]] std::optional<BandwidthLimit> Find(const TargetFacts& server);
  // Of the last Find(), for the event memory_bandwidth: bytes_per_second, source,
  // weight_bytes_per_token; or not_known, which says why.
  [[nodiscard]] const nlohmann::ordered_json& detail() const { return detail_; }

 private:
  // Or why not.
  [[nodiscard]] rocm::Result<MemoryBandwidth> Bandwidth(const TargetFacts& server);
  [[nodiscard]] rocm::Result<MemoryBandwidth> HostBandwidth();

  const std::string model_;
  const std::optional<double> given_gb_per_s_;
  BandwidthLimit weights_;  // its bandwidth is not set
  bool weights_read_ = false;
  std::optional<rocm::Result<MemoryBandwidth>> host_;
  nlohmann::ordered_json detail_;
};

}  // namespace harness
