// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/history.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "harness/measure/distribution.h"

namespace harness {
namespace {

constexpr std::size_t kFenceMinimum = 8;
constexpr double kFenceWidth = 3;

std::string ValueOf(const HistoryPoint& point, const std::string& name) {
  for (const auto& [key, value] : point.covariates) {
    if (key == name) return value;
  }
  return {};
}

Verdict JudgeChange(std::span<const HistoryPoint> history, std::string_view metric,
                    const ChangePoint& change) {
  Verdict verdict;
  verdict.kind = VerdictKind::kChangePoint;
  verdict.metric = metric;
  verdict.observed = change.ratio();
  verdict.p_value = change.p_value;
  verdict.n = static_cast<std::int64_t>(history.size());
  const bool better = (change.ratio() > 1) == (BetterDirection(metric) == Better::kHigher);
  verdict.finding = better ? Finding::kImprovement : Finding::kRegression;
  verdict.reason =
      fmt::format("{:+.1f} % from run {} on ({:.4g} to {:.4g})", (change.ratio() - 1) * 100,
                  history[change.index].run_id, change.before, change.after);
  const std::vector<std::string> suspects = Suspects(history, change.index);
  if (!suspects.empty()) {
    verdict.reason += fmt::format("; changed that night: {}", fmt::join(suspects, ", "));
  }
  return verdict;
}

}  // namespace

std::optional<Fence> FenceOf(std::span<const double> history) {
  if (history.size() < kFenceMinimum) return std::nullopt;
  std::vector<double> sorted(history.begin(), history.end());
  std::ranges::sort(sorted);
  const double q1 = QuantileOf(sorted, 0.25);
  const double q3 = QuantileOf(sorted, 0.75);
  return Fence{q1 - kFenceWidth * (q3 - q1), q3 + kFenceWidth * (q3 - q1)};
}

std::vector<std::string> Suspects(std::span<const HistoryPoint> history, std::size_t index) {
  if (index == 0 || index >= history.size()) return {};
  std::vector<std::pair<int, std::string>> found;
  for (const auto& [name, value] : history[index].covariates) {
    if (ValueOf(history[index - 1], name) == value) continue;
    int changes = 0;
    for (std::size_t i = 1; i < history.size(); ++i) {
      changes += ValueOf(history[i], name) != ValueOf(history[i - 1], name) ? 1 : 0;
    }
    found.emplace_back(changes, name);
  }
  std::ranges::sort(found);
  std::vector<std::string> names;
  for (auto& [changes, name] : found) names.push_back(std::move(name));
  return names;
}

std::vector<Verdict> JudgeHistory(std::span<const HistoryPoint> history, std::string_view metric,
                                  const ChangePointConfig& config) {
  std::vector<double> values;
  for (const HistoryPoint& point : history) values.push_back(point.value);
  std::vector<Verdict> verdicts;
  std::size_t level_start = 0;
  for (const ChangePoint& change : FindChangePoints(values, config)) {
    verdicts.push_back(JudgeChange(history, metric, change));
    level_start = change.index;
  }
  if (values.size() < 2) return verdicts;
  const auto level = std::span(values).subspan(level_start);
  const auto fence = FenceOf(level.first(level.size() - 1));
  if (!fence || fence->contains(values.back())) return verdicts;
  Verdict warning;
  warning.kind = VerdictKind::kFence;
  warning.finding = Finding::kWarning;
  warning.metric = metric;
  warning.observed = values.back();
  warning.low = fence->low;
  warning.high = fence->high;
  warning.n = static_cast<std::int64_t>(level.size() - 1);
  warning.reason = fmt::format("{:.4g} is outside [{:.4g}, {:.4g}], the fence of {} runs before it",
                               values.back(), fence->low, fence->high, level.size() - 1);
  verdicts.push_back(std::move(warning));
  return verdicts;
}

}  // namespace harness
