// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"

namespace harness {

// What makes a measurement invalid whatever the server did.
struct GateLimits {
  double schedule_lag_p99_ms = 5;      // or 2 % of the median TTFT, whichever is more
  double sent_rate_shortfall = 0.01;   // of the offered rate, open loop
  double client_cpu_share = 0.85;      // of one core, the busiest load thread
  double clock_residual_share = 0.05;  // client decode time against the server's own
  double clock_residual_min_ms = 1;    // below this a residual is no concern
};

// What only the runner knows. Empty: not measured, and the gate is left out.
struct GateInput {
  bool open_loop = false;
  bool timing_judged = true;
  std::optional<double> busiest_thread_share;  // CPU time / wall time
  int fixed_output_tokens = 0;
  bool caching_expected = false;
};

// One verdict for each gate that applies: kPass, kInvalid, or kWarning where only an unjudged time
// is touched. In a fixed order.
[[nodiscard]] std::vector<Verdict> JudgeGates(const StageSummary& summary,
                                              std::span<const RequestRecord> records,
                                              const GateInput& input,
                                              const GateLimits& limits = {});

// Whether it is one of those on times: these may hold when the same is measured again.
[[nodiscard]] bool IsTimingGate(const Verdict& gate);

// Whether the server kept up with an open loop. It did not when completed requests fall more than
// 5 % behind the offered ones while waiting grows (the median TTFT of the last quarter of the
// requests is more than twice that of the first, at least 8 each), or when less than half of what
// was offered completed. Below saturation a short window leaves a few requests in flight at its
// end: that alone says nothing.
struct Saturation {
  bool saturated = false;
  double completed_share = 1;  // completed / offered
  double ttft_growth = 1;      // median of the last quarter / median of the first
};
[[nodiscard]] Saturation DetectSaturation(const StageSummary& summary,
                                          std::span<const RequestRecord> records);

}  // namespace harness
