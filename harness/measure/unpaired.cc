// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/unpaired.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "harness/measure/probability.h"

namespace harness {
namespace {

constexpr double kPower = 0.8;

struct Moments {
  double n = 0;
  double mean = 0;
  double variance = 0;  // of the sample
};

Moments MomentsOf(std::span<const double> values) {
  Moments m;
  m.n = static_cast<double>(values.size());
  std::vector<double> logs;
  for (const double value : values) {
    if (!(value > 0) || !std::isfinite(value)) std::abort();
    logs.push_back(std::log(value));
  }
  if (logs.empty()) return m;
  m.mean = std::accumulate(logs.begin(), logs.end(), 0.0) / m.n;
  if (logs.size() < 2) return m;
  for (const double x : logs) m.variance += (x - m.mean) * (x - m.mean);
  m.variance /= m.n - 1;
  return m;
}

// The effects of one metric: of the first run, of those after it, of all together.
struct Effects {
  Effect first;
  Effect confirmation;
  Effect pooled;
  bool enough = false;  // starts everywhere
};

Effects Estimate(const UnpairedSamples& metric, const ComparisonConfig& config) {
  std::vector<double> all = metric.first;
  all.insert(all.end(), metric.confirmation.begin(), metric.confirmation.end());
  // One-sided at the same level: the direction is already suspected.
  ComparisonConfig one_sided = config;
  one_sided.confidence = 1 - 2 * (1 - config.confidence);
  const auto least = static_cast<std::size_t>(config.min_rounds);
  return {EstimateUnpaired(metric.baseline, metric.first, config),
          EstimateUnpaired(metric.baseline, metric.confirmation, one_sided),
          EstimateUnpaired(metric.baseline, all, config),
          metric.baseline.size() >= least && metric.first.size() >= least &&
              metric.confirmation.size() >= least};
}

bool Large(const Effect& effect, const ComparisonConfig& config) {
  return std::abs(std::log(effect.ratio)) >= std::log1p(config.margin);
}

bool IsWorse(const UnpairedSamples& metric, const Effect& effect) {
  return (effect.ratio < 1) == (BetterDirection(metric.metric) == Better::kHigher);
}

double MeanOf(const UnpairedSamples& metric) {
  double sum = 0;
  for (const auto* values : {&metric.first, &metric.confirmation}) {
    sum = std::accumulate(values->begin(), values->end(), sum);
  }
  return sum / static_cast<double>(metric.first.size() + metric.confirmation.size());
}

Finding Decide(const UnpairedSamples& metric, const Effects& e, double adjusted_p,
               const ComparisonConfig& config) {
  const double bound = std::log1p(config.margin);
  const bool known = std::isfinite(e.pooled.high);
  const bool worse = IsWorse(metric, e.pooled);
  if (known && std::log(e.pooled.low) > -bound && std::log(e.pooled.high) < bound) {
    return Finding::kNoChange;
  }
  const bool same_way = e.first.low > 1 ? e.confirmation.low > 1 : e.confirmation.high < 1;
  const bool suspect = known && IsSuspect(e.pooled) && Large(e.pooled, config);
  if (e.enough && IsSuspect(e.first) && same_way && suspect && adjusted_p <= kUnpairedP) {
    return worse ? Finding::kRegression : Finding::kImprovement;
  }
  const bool fenced_out = metric.fence && !metric.fence->contains(MeanOf(metric));
  const bool blind = !known && !metric.fence && Large(e.pooled, config);
  return worse && (suspect || fenced_out || blind) ? Finding::kWarning : Finding::kInsufficientData;
}

std::string Explain(const UnpairedSamples& metric, const Effects& e, Finding finding,
                    const ComparisonConfig& config) {
  const Effect& effect = e.pooled;
  std::string text = fmt::format("{:+.1f} %", (effect.ratio - 1) * 100);
  if (std::isfinite(effect.high)) {
    text += fmt::format(" [{:+.1f}, {:+.1f}]", (effect.low - 1) * 100, (effect.high - 1) * 100);
  }
  text += fmt::format(", {} server starts against {}, not interleaved", effect.rounds,
                      metric.baseline.size());
  if (finding == Finding::kNoChange) {
    text += fmt::format("; within ± {:.1f} %", config.margin * 100);
  } else if (finding == Finding::kWarning) {
    if (metric.fence && !metric.fence->contains(MeanOf(metric))) {
      text += fmt::format("; outside its history's fence [{:.4g}, {:.4g}]", metric.fence->low,
                          metric.fence->high);
    }
    text += "; suspect, not confirmed";
  } else if (finding == Finding::kInsufficientData) {
    text += std::isfinite(effect.smallest_effect)
                ? fmt::format("; effects below {:.1f} % could not have been seen",
                              effect.smallest_effect * 100)
                : "; a single start on a side says nothing of the noise";
  }
  return text;
}

std::optional<double> Finite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

Effect EstimateUnpaired(std::span<const double> a, std::span<const double> b,
                        const ComparisonConfig& config) {
  Effect effect;
  effect.rounds = static_cast<int>(b.size());
  const Moments left = MomentsOf(a);
  const Moments right = MomentsOf(b);
  effect.low = 0;
  effect.high = INFINITY;
  effect.smallest_effect = INFINITY;
  if (a.empty() || b.empty()) return effect;
  const double difference = right.mean - left.mean;
  effect.ratio = std::exp(difference);
  effect.deviation = std::sqrt(std::max(left.variance, right.variance));
  if (a.size() < 2 || b.size() < 2) return effect;
  const double from_a = left.variance / left.n;
  const double from_b = right.variance / right.n;
  const double error = std::sqrt(from_a + from_b);
  if (error < 1e-12) {  // a simulated server: every start alike but for rounding
    effect.low = effect.high = effect.ratio;
    effect.p_value = std::abs(difference) < 1e-12 ? 1.0 : 0.0;
    effect.smallest_effect = 0;
    return effect;
  }
  const double degrees = (from_a + from_b) * (from_a + from_b) /
                         (from_a * from_a / (left.n - 1) + from_b * from_b / (right.n - 1));
  const double quantile = StudentQuantile(0.5 + config.confidence / 2, degrees);
  effect.low = std::exp(difference - quantile * error);
  effect.high = std::exp(difference + quantile * error);
  effect.p_value = 2 * StudentCdf(-std::abs(difference) / error, degrees);
  effect.smallest_effect = std::expm1((quantile + StudentQuantile(kPower, degrees)) * error);
  return effect;
}

std::vector<Verdict> JudgeUnpaired(std::span<const UnpairedSamples> metrics,
                                   const ComparisonConfig& config) {
  std::vector<Effects> effects;
  std::vector<double> p_values;
  for (const UnpairedSamples& metric : metrics) {
    effects.push_back(Estimate(metric, config));
    p_values.push_back(effects.back().pooled.p_value);
  }
  const std::vector<double> adjusted = HolmAdjust(p_values);
  std::vector<Verdict> verdicts;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const Effect& pooled = effects[i].pooled;
    Verdict verdict;
    verdict.kind = VerdictKind::kComparison;
    verdict.metric = metrics[i].metric;
    verdict.finding = Decide(metrics[i], effects[i], adjusted[i], config);
    verdict.limit = config.margin;
    verdict.observed = pooled.ratio;
    if (std::isfinite(pooled.high)) {
      verdict.low = pooled.low;
      verdict.high = pooled.high;
      verdict.p_value = adjusted[i];
    }
    verdict.smallest_effect = Finite(pooled.smallest_effect);
    verdict.n = pooled.rounds;
    verdict.reason = Explain(metrics[i], effects[i], verdict.finding, config);
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace harness
