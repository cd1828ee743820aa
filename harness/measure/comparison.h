// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/measure/verdict.h"

namespace harness {

// One metric of one round: the medians of both variants, measured in the same round.
struct RoundPair {
  double a = 0;  // the baseline; > 0
  double b = 0;  // > 0
};

enum class Better { kLower, kHigher };
// Latencies: lower; rates, throughput, goodput: higher.
[[nodiscard]] Better BetterDirection(std::string_view metric);

struct ComparisonConfig {
  double margin = 0.03;  // a smaller effect is no change
  double confidence = 0.95;
  int resamples = 10'000;
  int min_rounds = 5;
  std::uint64_t seed = 20'26;  // fixed: the same rounds give the same verdict
};

// The effect of b against a, from rounds alone: requests of one round share a server start and say
// nothing about the next.
struct Effect {
  int rounds = 0;
  double ratio = 1;  // exp(mean of log(b / a))
  double low = 1;    // bootstrap-t over rounds
  double high = 1;
  double deviation = 0;  // of the log-ratios from round to round
  double p_value = 1;    // two-sided, that the ratio is 1
  double smallest_effect =
      0;  // seen with 80 % power at this noise and number of rounds; 0.03 = 3 %
};
// A value that is not positive and finite is the caller's bug: aborts.
[[nodiscard]] Effect EstimateEffect(std::span<const RoundPair> rounds,
                                    const ComparisonConfig& config = {});

// Rounds for an effect of this size to be seen with 80 % power, at the noise that `pilot` had.
[[nodiscard]] int RoundsNeeded(const Effect& pilot, double effect,
                               const ComparisonConfig& config = {});

// After the first set of rounds: whether a fresh set is needed to say anything.
[[nodiscard]] bool IsSuspect(const Effect& effect);

// One metric of an A/B.
struct MetricRounds {
  std::string metric;  // "decode_tokens_per_s.p50"
  std::vector<RoundPair> first;
  std::vector<RoundPair> confirmation;  // empty: not confirmed (yet)
};

// One verdict for each metric, with Holm's correction over all of them:
//   regression, improvement  the first rounds were suspect, fresh ones confirm the direction by
//                            themselves (90 % interval), and the pooled effect is at least the
//                            margin with an interval that excludes 1
//   no_change                the interval lies within the margin on both sides
//   insufficient_data        anything else; `smallest_effect` says what could have been seen
[[nodiscard]] std::vector<Verdict> JudgeComparison(std::span<const MetricRounds> metrics,
                                                   const ComparisonConfig& config = {});

// Adjusted p-values in the order given (Holm, 1979).
[[nodiscard]] std::vector<double> HolmAdjust(std::span<const double> p_values);

// ABBA BAAB ABBA …: which variant runs first in each round. Drift hits both alike.
[[nodiscard]] std::vector<bool> BaselineFirst(int rounds);

}  // namespace harness
