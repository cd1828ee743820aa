// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include "harness/base/random.h"
#include "harness/measure/distribution.h"
#include "harness/measure/probability.h"

namespace harness {
namespace {

constexpr double kPower = 0.8;

double Mean(std::span<const double> x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double Deviation(std::span<const double> x) {
  const double mean = Mean(x);
  double squares = 0;
  for (const double value : x) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(x.size() - 1));
}

std::vector<double> LogRatios(std::span<const RoundPair> rounds) {
  std::vector<double> logs;
  for (const RoundPair& round : rounds) {
    const double ratio = round.b / round.a;
    if (!(round.a > 0) || !(round.b > 0) || !std::isfinite(ratio)) std::abort();
    logs.push_back(std::log(ratio));
  }
  return logs;
}

// Sorted t statistics of resamples, around the mean of the sample.
std::vector<double> BootstrapT(std::span<const double> x, const ComparisonConfig& config) {
  Random random(config.seed);
  const double mean = Mean(x);
  const auto n = static_cast<std::int64_t>(x.size());
  const double root = std::sqrt(static_cast<double>(n));
  std::vector<double> resample(x.size());
  std::vector<double> statistics;
  statistics.reserve(static_cast<std::size_t>(config.resamples));
  while (statistics.size() < static_cast<std::size_t>(config.resamples)) {
    for (double& value : resample) {
      value = x[static_cast<std::size_t>(random.UniformInt(0, n - 1))];
    }
    const double deviation = Deviation(resample);
    // All the same round drawn: carries no scale. With five rounds one draw in 625.
    if (deviation <= 0) continue;
    statistics.push_back((Mean(resample) - mean) / (deviation / root));
  }
  std::ranges::sort(statistics);
  return statistics;
}

// The effect that a test at this noise would find four times out of five.
double SmallestEffect(double standard_error, double degrees, double confidence) {
  const double t =
      StudentQuantile(0.5 + confidence / 2, degrees) + StudentQuantile(kPower, degrees);
  return std::expm1(t * standard_error);
}

Finding Decide(const Effect& first, const Effect& confirmation, const Effect& pooled,
               double adjusted_p, Better better, const ComparisonConfig& config) {
  const double bound = std::log1p(config.margin);
  if (std::log(pooled.low) > -bound && std::log(pooled.high) < bound &&
      pooled.rounds >= config.min_rounds) {
    return Finding::kNoChange;
  }
  const bool same_way = first.low > 1 ? confirmation.low > 1 : confirmation.high < 1;
  const bool excludes = pooled.low > 1 || pooled.high < 1;
  const bool large = std::abs(std::log(pooled.ratio)) >= bound;
  if (!IsSuspect(first) || confirmation.rounds == 0 || !same_way || !excludes || !large ||
      adjusted_p > 1 - config.confidence) {
    return Finding::kInsufficientData;
  }
  return (pooled.ratio > 1) == (better == Better::kHigher) ? Finding::kImprovement
                                                           : Finding::kRegression;
}

std::string Explain(const Effect& effect, const Effect& first, bool confirmed, Finding finding,
                    const ComparisonConfig& config) {
  if (effect.rounds < config.min_rounds) {
    return fmt::format("{:+.1f} % over {} rounds; fewer than {} say nothing of the noise",
                       (effect.ratio - 1) * 100, effect.rounds, config.min_rounds);
  }
  std::string text =
      fmt::format("{:+.1f} % [{:+.1f}, {:+.1f}] over {} rounds", (effect.ratio - 1) * 100,
                  (effect.low - 1) * 100, (effect.high - 1) * 100, effect.rounds);
  if (finding == Finding::kInsufficientData) {
    text += fmt::format("; effects below {:.1f} % could not have been seen",
                        effect.smallest_effect * 100);
    if (IsSuspect(first) && !confirmed) text += "; suspect: asks for confirming rounds";
  }
  if (finding == Finding::kNoChange) {
    text += fmt::format("; within ± {:.1f} %", config.margin * 100);
  }
  return text;
}

}  // namespace

Better BetterDirection(std::string_view metric) {
  const std::string_view name = metric.substr(0, metric.find('.'));
  const bool higher = name.ends_with("_per_s") || name == "goodput_ratio" ||
                      name == "bandwidth_utilisation_ratio" || name == "fairness_jain" ||
                      name == "requests_ok";
  return higher ? Better::kHigher : Better::kLower;
}

Effect EstimateEffect(std::span<const RoundPair> rounds, const ComparisonConfig& config) {
  Effect effect;
  effect.rounds = static_cast<int>(rounds.size());
  if (rounds.empty()) return effect;
  const std::vector<double> logs = LogRatios(rounds);
  const double mean = Mean(logs);
  effect.ratio = std::exp(mean);
  effect.deviation = logs.size() < 2 ? 0.0 : Deviation(logs);
  const double deviation = effect.deviation;
  if (effect.rounds < config.min_rounds) {
    effect.low = 0;
    effect.high = INFINITY;
    effect.smallest_effect = INFINITY;
    return effect;
  }
  if (deviation < 1e-12) {  // a simulated server: every round alike but for rounding
    effect.low = effect.high = effect.ratio;
    effect.p_value = std::abs(mean) < 1e-12 ? 1.0 : 0.0;
    return effect;
  }
  const double standard_error = deviation / std::sqrt(static_cast<double>(logs.size()));
  const std::vector<double> t = BootstrapT(logs, config);
  const double tail = (1 - config.confidence) / 2;
  effect.low = std::exp(mean - QuantileOf(t, 1 - tail) * standard_error);
  effect.high = std::exp(mean - QuantileOf(t, tail) * standard_error);
  const double seen = mean / standard_error;
  const auto beyond =
      std::ranges::count_if(t, [&](double x) { return std::abs(x) >= std::abs(seen); });
  effect.p_value = (static_cast<double>(beyond) + 1) / (static_cast<double>(t.size()) + 1);
  effect.smallest_effect =
      SmallestEffect(standard_error, static_cast<double>(logs.size() - 1), config.confidence);
  return effect;
}

int RoundsNeeded(const Effect& pilot, double effect, const ComparisonConfig& config) {
  constexpr int kMost = 1'000;
  for (int rounds = config.min_rounds; rounds < kMost; ++rounds) {
    const double error = pilot.deviation / std::sqrt(static_cast<double>(rounds));
    if (SmallestEffect(error, rounds - 1, config.confidence) <= effect) return rounds;
  }
  return kMost;
}

bool IsSuspect(const Effect& effect) { return effect.low > 1 || effect.high < 1; }

std::vector<double> HolmAdjust(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = static_cast<double>(order.size() - rank) * p_values[order[rank]];
    largest = std::max(largest, std::min(1.0, scaled));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

std::vector<bool> BaselineFirst(int rounds) {
  // Two rounds of ABBA are A then B, B then A; the next two mirror them.
  constexpr std::array kOrder = {true, false, false, true};
  std::vector<bool> order;
  for (int i = 0; i < rounds; ++i) order.push_back(kOrder.at(static_cast<std::size_t>(i) % 4));
  return order;
}

std::vector<Verdict> JudgeComparison(std::span<const MetricRounds> metrics,
                                     const ComparisonConfig& config) {
  std::vector<Effect> first;
  std::vector<Effect> confirmation;
  std::vector<Effect> pooled;
  std::vector<double> p_values;
  for (const MetricRounds& metric : metrics) {
    std::vector<RoundPair> all = metric.first;
    all.insert(all.end(), metric.confirmation.begin(), metric.confirmation.end());
    first.push_back(EstimateEffect(metric.first, config));
    // One-sided at the same level: the direction is already suspected.
    ComparisonConfig one_sided = config;
    one_sided.confidence = 1 - 2 * (1 - config.confidence);
    confirmation.push_back(EstimateEffect(metric.confirmation, one_sided));
    pooled.push_back(EstimateEffect(all, config));
    p_values.push_back(pooled.back().p_value);
  }
  const std::vector<double> adjusted = HolmAdjust(p_values);
  std::vector<Verdict> verdicts;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    Verdict verdict;
    verdict.kind = VerdictKind::kComparison;
    verdict.metric = metrics[i].metric;
    verdict.finding = Decide(first[i], confirmation[i], pooled[i], adjusted[i],
                             BetterDirection(metrics[i].metric), config);
    verdict.limit = config.margin;
    verdict.observed = pooled[i].ratio;
    // Too few rounds have no interval.
    if (pooled[i].rounds >= config.min_rounds) {
      verdict.low = pooled[i].low;
      verdict.high = pooled[i].high;
      verdict.smallest_effect = pooled[i].smallest_effect;
    }
    verdict.p_value = adjusted[i];
    verdict.n = pooled[i].rounds;
    verdict.reason =
        Explain(pooled[i], first[i], !metrics[i].confirmation.empty(), verdict.finding, config);
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace harness
