// SPDX-License-Identifier: EUPL-1.2
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "harness/measure/stage_summary.h"

namespace harness {
namespace {

std::optional<Statistic> Plain(double value, std::int64_t n) {
  Statistic statistic;
  statistic.value = value;
  statistic.n = n;
  return statistic;
}

std::optional<Statistic> OfDistribution(const Distribution& distribution, std::string_view name) {
  if (name == "n") return Plain(static_cast<double>(distribution.n), distribution.n);
  if (distribution.n == 0) return std::nullopt;
  if (name == "mean") return Plain(distribution.mean, distribution.n);
  if (name == "sd") return Plain(distribution.sd, distribution.n);
  if (name == "min") return Plain(distribution.min, distribution.n);
  if (name == "max") return Plain(distribution.max, distribution.n);
  for (const Quantile& quantile : distribution.quantiles) {
    if (QuantileName(quantile.p) != name) continue;
    return Statistic{quantile.value, distribution.n, quantile.supported, quantile.low,
                     quantile.high};
  }
  return std::nullopt;
}

std::optional<Statistic> OfStage(const StageSummary& summary, std::string_view name) {
  const auto count = [&](std::int64_t value) {
    return Plain(static_cast<double>(value), summary.requests);
  };
  if (name == "requests") return count(summary.requests);
  if (name == "requests_ok") return count(summary.requests_ok);
  if (name == "requests_failed") return count(summary.requests_failed);
  const std::string key(name);
  if (const auto it = summary.counts.find(key); it != summary.counts.end()) {
    return count(it->second);
  }
  if (const auto it = summary.values.find(key); it != summary.values.end()) {
    return Plain(it->second, summary.requests);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Statistic> FindStatistic(const StageSummary& summary, std::string_view path) {
  const auto dot = path.find('.');
  std::string name(path.substr(0, dot));
  const std::string_view part = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  if (name == "itl_ms") name = "tpot_ms";
  if (name == "outcomes" || name == "token_sources") {
    const auto& map = name == "outcomes" ? summary.outcomes : summary.token_sources;
    const auto it = map.find(std::string(part));
    // A class that never came is a count of zero, not an unknown.
    return Plain(it == map.end() ? 0.0 : static_cast<double>(it->second), summary.requests);
  }
  if (const auto it = summary.distributions.find(name); it != summary.distributions.end()) {
    return OfDistribution(it->second, part.empty() ? "p50" : part);
  }
  return part.empty() ? OfStage(summary, name) : std::nullopt;
}

}  // namespace harness
