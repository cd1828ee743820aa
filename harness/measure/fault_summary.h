// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"

namespace harness {

// The stage under which a fault scenario's own numbers are reported.
inline constexpr std::string_view kRecoveryStage = "recovery";

// One fault that was done to a server, and what followed. CLOCK_MONOTONIC; empty: it did not come
// to that.
struct Injection {
  std::int64_t injected_ns = 0;
  // The server was doing what it was to be struck in: a stream had enough tokens, or none yet.
  bool moment_hit = true;
  std::optional<std::int64_t>
      detected_ns;                         // its end was seen; of a server that hangs: that it does
  std::optional<std::int64_t> healthy_ns;  // another one answers and is proven ours
  std::optional<std::int64_t> released_ns;  // its device memory was free again
  std::optional<std::int64_t> released_bytes;
  bool survived = false;              // it did not die of it
  bool policy_refused = false;        // the restart policy allows no further start
  bool process_left = false;          // the struck process was not reaped
  std::vector<RequestRecord> struck;  // of the stage that it struck
  std::vector<RequestRecord> after;   // of the stages on the new server
};

// Requests that were in flight when it struck.
[[nodiscard]] std::vector<const RequestRecord*> InFlightAt(const Injection& injection);
// The first token that a request sent after the fault got.
[[nodiscard]] std::optional<std::int64_t> FirstTokenAfter(const Injection& injection);
// When the first answer ended that was generated at 90 % or more of the median decode rate before
// the fault. Empty where that rate is not known: nothing had been decoded before.
[[nodiscard]] std::optional<std::int64_t> SteadyAfter(const Injection& injection);

// All of them as a stage of its own, `recovery`: one "request" is one injection, and ok is one from
// which the server recovered, i.e. gave a first token. docs/metrics.md defines the names.
[[nodiscard]] StageSummary SummariseFaults(std::span<const Injection> injections,
                                           std::string scenario, std::string variant);

}  // namespace harness
