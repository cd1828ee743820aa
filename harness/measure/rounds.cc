// SPDX-License-Identifier: EUPL-1.2
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <set>
#include <vector>

#include "harness/measure/probability.h"
#include "harness/measure/stage_summary.h"

namespace harness {
namespace {

AcrossRounds DescribeRounds(const std::vector<double>& values) {
  AcrossRounds result;
  result.rounds = static_cast<int>(values.size());
  const auto n = static_cast<double>(values.size());
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double x : values) squares += (x - result.mean) * (x - result.mean);
  result.sd = std::sqrt(squares / (n - 1));
  const double half = StudentQuantile(0.975, n - 1) * result.sd / std::sqrt(n);
  result.low = result.mean - half;
  result.high = result.mean + half;
  if (result.mean != 0) {
    const double degrees = 2 * n - 2;
    const double t = StudentQuantile(0.975, degrees) + StudentQuantile(0.8, degrees);
    result.smallest_effect = t * result.sd * std::sqrt(2 / n) / std::abs(result.mean);
  }
  return result;
}

void Add(const StageSummary& round, StageSummary& all) {
  all.requests += round.requests;
  all.requests_ok += round.requests_ok;
  all.requests_failed += round.requests_failed;
  for (const auto& [name, count] : round.outcomes) all.outcomes[name] += count;
  for (const auto& [name, count] : round.token_sources) all.token_sources[name] += count;
  for (const auto& [name, count] : round.counts) {
    if (name == "concurrency_max") {
      all.counts[name] = std::max(all.counts[name], count);
    } else {
      all.counts[name] += count;
    }
  }
}

}  // namespace

StageSummary SummariseRounds(std::span<const StageSummary> summaries,
                             std::span<const RequestRecord> records) {
  StageSummary all;
  if (summaries.empty()) return all;
  // Only the distributions of this one are kept: a window over several rounds means nothing.
  all.distributions = Summarise(records, {}).distributions;
  all.scenario = summaries.front().scenario;
  all.variant = summaries.front().variant;
  all.stage = summaries.front().stage;
  all.round = kAllRounds;
  std::map<std::string, std::vector<double>> by_path;
  for (const StageSummary& round : summaries) {
    Add(round, all);
    for (const auto& [name, value] : round.values) by_path[name].push_back(value);
    for (const auto& [name, distribution] : round.distributions) {
      if (const Quantile* median = distribution.Find(0.5)) {
        by_path[name + ".p50"].push_back(median->value);
      }
    }
  }
  for (const auto& [path, values] : by_path) all.rounds[path] = DescribeRounds(values);
  for (const StageSummary& round : summaries) {
    for (const auto& [name, value] : round.values) all.values[name] = all.rounds[name].mean;
  }
  return all;
}

}  // namespace harness
