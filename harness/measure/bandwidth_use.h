// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>

#include "harness/measure/stage_summary.h"

namespace harness {

// What a stage's decode rate is held against.
struct BandwidthLimit {
  std::uint64_t weight_bytes_per_token = 0;  // rocm::gguf::WeightsReadPerToken()
  // They hold for a single stream: see rocm::gguf::DecodeReads::experts.
  bool single_stream_only = false;
  double bytes_per_second = 0;  // of the memory that holds the weights
};

// Sets bandwidth_utilisation_ratio (MBU): weight bytes read per token × median decode rate of one
// stream / memory bandwidth. Streams that decode together share each pass over the weights, and
// each gets one token of it: hence the rate of one stream at any concurrency. Sets nothing where no
// decode rate is known or the limit does not apply.
void AddBandwidthUse(const BandwidthLimit& limit, StageSummary& summary);

}  // namespace harness
