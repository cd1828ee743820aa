// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"

namespace harness {

// One expectation of a scenario about a number.
struct MetricCheck {
  std::string metric;  // a path of FindStatistic()
  std::string op;      // "==", "!=", "<", "<=", ">", ">="
  double value = 0;
  // False: not meant for this target; it is shown and fails nothing.
  bool judged = true;
  // The scenario's times are judged ("timing": "unjudged" makes it false).
  bool timing_judged = true;
};

// Largest share that the instrument's error may have of a judged time.
inline constexpr double kMaxErrorShare = 0.02;

// True for statistics that come from a clock, false for counts.
[[nodiscard]] bool IsTiming(std::string_view metric);

// True where a comparison tells candidate / baseline, false where it counts requests or answers.
[[nodiscard]] inline bool IsRatio(std::string_view metric) {
  return !metric.starts_with("requests_") && !metric.starts_with("answers_");
}

// `error_bound`: of that statistic, in its unit; nullopt where it is not known. A statistic that
// does not exist fails the check: nothing passes by having no samples. An unknown operator aborts.
[[nodiscard]] Verdict Judge(const MetricCheck& check, const StageSummary& summary,
                            std::optional<double> error_bound);

}  // namespace harness
