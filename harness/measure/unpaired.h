// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/measure/comparison.h"
#include "harness/measure/history.h"
#include "harness/measure/verdict.h"

namespace harness {

// One statistic of runs that were not interleaved: tonight against a baseline. Each value is that
// of one server start (rounds on one server are one value: they share its luck), > 0.
struct UnpairedSamples {
  std::string metric;
  std::vector<double> baseline;
  std::vector<double> first;         // of the first candidate run
  std::vector<double> confirmation;  // of further candidate runs, all together
  std::optional<Fence> fence;        // of the statistic's own history, where there is one
};

// b against a by Welch's t over the logarithms, b's degrees of freedom and a's by Satterthwaite.
// With fewer than two values on a side the interval is unknown: low 0, high and smallest_effect
// infinite. `rounds` is the size of b, `deviation` that of the larger side's logarithms.
[[nodiscard]] Effect EstimateUnpaired(std::span<const double> a, std::span<const double> b,
                                      const ComparisonConfig& config = {});

// Drift from night to night makes the interval of a run too narrow, since its starts share it: at 5
// % the same server would be called changed in 2 to 3 of 100 comparisons, at this in less than one.
inline constexpr double kUnpairedP = 0.001;

// One verdict (kind comparison) for each metric, with Holm's correction over all of them:
//   regression, improvement  at least `min_rounds` starts in the baseline, in the first run and in
//                            the further runs; the first is suspect, the further ones confirm its
//                            direction by themselves (90 %), the pooled effect is at least the
//                            margin with an interval that excludes 1, and p is at most kUnpairedP
//   no_change                the interval lies within the margin on both sides
//   warning                  looks worse, and is not confirmed: the interval excludes 1 by at least
//                            the margin, or the value lies outside the fence, or (a single start on
//                            a side, no fence) beyond the margin
//   insufficient_data        anything else; `smallest_effect` says what could have been seen
// A single candidate run never gives a regression: what the machine did that night hits all its
// rounds alike.
[[nodiscard]] std::vector<Verdict> JudgeUnpaired(std::span<const UnpairedSamples> metrics,
                                                 const ComparisonConfig& config = {});

}  // namespace harness
