// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/history.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "harness/measure/distribution.h"

namespace harness {
namespace {

constexpr std::size_t kFenceMinimum = 8;
constexpr double kFenceWidth = 3;
// Of the median, to either side, however quiet the past was: bytes that were the same every night
// must not warn of one page more.
constexpr double kNarrowestFence = 0.01;

std::string ValueOf(const HistoryPoint& point, const std::string& name) {
  for (const auto& [key, value] : point.covariates) {
    if (key == name) return value;
  }
  return {};
}

// How often a covariate changes from one point to the next.
int Changes(std::span<const HistoryPoint> history, const std::string& name) {
  int changes = 0;
  for (std::size_t i = 1; i < history.size(); ++i) {
    changes += ValueOf(history[i], name) != ValueOf(history[i - 1], name) ? 1 : 0;
  }
  return changes;
}

// With how often each changes, the rarest first; one that appears or goes has changed too.
std::vector<std::pair<int, std::string>> ChangedAt(std::span<const HistoryPoint> history,
                                                   std::size_t index) {
  if (index == 0 || index >= history.size()) return {};
  std::set<std::string> names;
  for (const auto* point : {&history[index - 1], &history[index]}) {
    for (const auto& [name, value] : point->covariates) names.insert(name);
  }
  std::vector<std::pair<int, std::string>> found;
  for (const std::string& name : names) {
    if (ValueOf(history[index], name) == ValueOf(history[index - 1], name)) continue;
    found.emplace_back(Changes(history, name), name);
  }
  std::ranges::sort(found);
  return found;
}

Verdict ExplainChange(std::span<const HistoryPoint> history, std::string_view metric,
                      const SeriesJudgement::Change& change) {
  const ChangePoint& point = change.point;
  Verdict verdict;
  verdict.kind = VerdictKind::kChangePoint;
  verdict.finding = change.finding;
  verdict.metric = metric;
  verdict.observed = point.ratio();
  verdict.p_value = point.p_value;
  verdict.n = static_cast<std::int64_t>(history.size());
  verdict.reason =
      fmt::format("{:+.1f} % from run {} on ({:.4g} to {:.4g})", (point.ratio() - 1) * 100,
                  history[point.index].run_id, point.before, point.after);
  if (!change.suspects.empty()) {
    verdict.reason += fmt::format("; changed that night: {}", fmt::join(change.suspects, ", "));
  }
  if (!change.nearby.empty()) {
    verdict.reason += fmt::format("; within two nights: {}", fmt::join(change.nearby, ", "));
  }
  return verdict;
}

SeriesState StateOf(const SeriesJudgement& judgement, std::size_t values, bool outside) {
  if (outside) return SeriesState::kWarning;
  if (!judgement.changes.empty()) {
    const auto& last = judgement.changes.back();
    if (last.point.index + kRecent >= values) {
      return last.finding == Finding::kRegression ? SeriesState::kRegression
                                                  : SeriesState::kImprovement;
    }
  }
  return values < kFenceMinimum ? SeriesState::kShort : SeriesState::kSteady;
}

}  // namespace

std::optional<Fence> FenceOf(std::span<const double> history) {
  if (history.size() < kFenceMinimum) return std::nullopt;
  std::vector<double> sorted(history.begin(), history.end());
  std::ranges::sort(sorted);
  const double q1 = QuantileOf(sorted, 0.25);
  const double q3 = QuantileOf(sorted, 0.75);
  const double narrowest = kNarrowestFence * std::abs(QuantileOf(sorted, 0.5));
  const double width = std::max(kFenceWidth * (q3 - q1), narrowest);
  return Fence{q1 - width, q3 + width};
}

std::vector<std::string> Suspects(std::span<const HistoryPoint> history, std::size_t index) {
  std::vector<std::string> names;
  for (auto& [changes, name] : ChangedAt(history, index)) names.push_back(std::move(name));
  return names;
}

std::vector<std::string> NearbySuspects(std::span<const HistoryPoint> history, std::size_t index) {
  const std::vector<std::string> that_night = Suspects(history, index);
  std::set<std::pair<int, std::string>> found;
  for (std::size_t i = index >= 2 ? index - 2 : 0; i <= index + 2; ++i) {
    if (i == index) continue;
    for (const auto& [changes, name] : ChangedAt(history, i)) {
      const bool seldom = static_cast<std::size_t>(changes) * 10 <= history.size() || changes == 1;
      if (seldom && std::ranges::find(that_night, name) == that_night.end()) {
        found.emplace(changes, name);
      }
    }
  }
  std::vector<std::string> names;
  for (const auto& [changes, name] : found) names.push_back(name);
  return names;
}

std::string_view ToString(SeriesState state) {
  switch (state) {
    case SeriesState::kShort: return "short";
    case SeriesState::kSteady: return "steady";
    case SeriesState::kWarning: return "warning";
    case SeriesState::kRegression: return "regression";
    case SeriesState::kImprovement: return "improvement";
  }
  return "steady";
}

SeriesJudgement JudgeSeries(std::span<const HistoryPoint> history, std::string_view metric,
                            const ChangePointConfig& config) {
  SeriesJudgement judgement;
  std::vector<double> values;
  for (const HistoryPoint& point : history) values.push_back(point.value);
  std::size_t level_start = 0;
  for (const ChangePoint& point : FindChangePoints(values, config)) {
    const bool better = (point.ratio() > 1) == (BetterDirection(metric) == Better::kHigher);
    SeriesJudgement::Change change{point, better ? Finding::kImprovement : Finding::kRegression,
                                   Suspects(history, point.index),
                                   NearbySuspects(history, point.index)};
    judgement.verdicts.push_back(ExplainChange(history, metric, change));
    judgement.changes.push_back(std::move(change));
    level_start = point.index;
  }
  const auto level = std::span(values).subspan(level_start);
  if (level.size() > 1) judgement.fence = FenceOf(level.first(level.size() - 1));
  const bool outside = judgement.fence && !judgement.fence->contains(values.back());
  judgement.state = StateOf(judgement, values.size(), outside);
  if (!outside) return judgement;
  Verdict warning;
  warning.kind = VerdictKind::kFence;
  warning.finding = Finding::kWarning;
  warning.metric = metric;
  warning.observed = values.back();
  warning.low = judgement.fence->low;
  warning.high = judgement.fence->high;
  warning.n = static_cast<std::int64_t>(level.size() - 1);
  warning.reason =
      fmt::format("{:.4g} is outside [{:.4g}, {:.4g}], the fence of {} runs before it",
                  values.back(), judgement.fence->low, judgement.fence->high, level.size() - 1);
  judgement.verdicts.push_back(std::move(warning));
  return judgement;
}

std::vector<Verdict> JudgeHistory(std::span<const HistoryPoint> history, std::string_view metric,
                                  const ChangePointConfig& config) {
  return JudgeSeries(history, metric, config).verdicts;
}

}  // namespace harness
