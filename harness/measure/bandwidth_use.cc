// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/bandwidth_use.h"

namespace harness {

void AddBandwidthUse(const BandwidthLimit& limit, StageSummary& summary) {
  if (limit.bytes_per_second <= 0 || limit.weight_bytes_per_token == 0) return;
  const auto streams = summary.counts.find("concurrency_max");
  const bool several = streams == summary.counts.end() || streams->second != 1;
  if (limit.single_stream_only && several) return;
  const auto rate = FindStatistic(summary, "decode_tokens_per_s.p50");
  if (!rate) return;
  summary.values["bandwidth_utilisation_ratio"] =
      static_cast<double>(limit.weight_bytes_per_token) * rate->value / limit.bytes_per_second;
}

}  // namespace harness
