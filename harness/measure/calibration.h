// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "harness/measure/distribution.h"
#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"

namespace harness {

// The instrument's own error, from driving it against a server that logs when it really sent each
// chunk (the mock's truth log), on the same CLOCK_MONOTONIC.

// One stream's truth: when each chunk with content was handed to the kernel, in order.
struct StreamTruth {
  std::vector<std::int64_t> sent_ns;
};

// One level of concurrency. Errors are in milliseconds, seen minus true: never negative but for a
// broken clock, so they are kept with their sign.
struct CalibrationPoint {
  int concurrency = 0;
  Distribution ttft_error_ms;   // of the first chunk of each request
  Distribution chunk_error_ms;  // of every chunk
  double cpu_us_per_chunk = 0;  // of the client; 0: not measured
  std::int64_t requests = 0;
  std::int64_t chunks = 0;
  // Requests whose chunks are not those that were sent: an instrument that loses or invents chunks
  // has no error bound at all.
  std::int64_t count_mismatches = 0;

  [[nodiscard]] bool usable() const { return chunk_error_ms.n > 0 && count_mismatches == 0; }
};

// `records[i]` and `truth[i]` belong to the same request; sizes are equal. Requests that were not
// ok count as mismatches.
[[nodiscard]] CalibrationPoint Calibrate(int concurrency, std::span<const RequestRecord> records,
                                         std::span<const StreamTruth> truth,
                                         double client_cpu_seconds);

struct Calibration {
  std::vector<CalibrationPoint> points;  // by rising concurrency

  // The point that bounds a stage with so many streams: the next higher one. nullptr above the
  // highest, and where there is none: nothing is extrapolated.
  [[nodiscard]] const CalibrationPoint* For(std::int64_t concurrency) const;
};

// How far off a statistic of `summary` can be, in its own unit, with e = p99 of the calibration:
// a TTFT by e of first chunks, end to end and gaps by e of all chunks, TPOT by e / (n - 1), a
// decode rate and a throughput by the share that e has of their time. nullopt: not calibrated for
// this concurrency, or not a time that we take (counts, the server's own figures).
[[nodiscard]] std::optional<double> ErrorBound(const Calibration& calibration,
                                               const StageSummary& summary,
                                               std::string_view statistic);

}  // namespace harness
