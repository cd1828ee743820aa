// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/history_file.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "harness/measure/metric_check.h"
#include "harness/record/sqlite.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

using Places = std::map<std::string, std::size_t>;  // path of a run file to its place

rocm::Result<Places> LoadRuns(Database& database, History& history) {
  Places places;
  std::map<std::string, std::string> identities;
  Statement query(database,
                  "SELECT path, run_id, started_at, status, reasons, target, suite, exit_code, "
                  "requests, identity, identity_json FROM runs ORDER BY started_at, run_id, path");
  while (query.Step()) {
    HistoryRun run;
    run.file = fs::path(query.Text(0)).filename().string();
    run.run_id = query.Text(1);
    run.started_at = query.Text(2);
    run.status = query.Text(3);
    run.reasons = query.Text(4);
    run.target = query.Text(5);
    run.suite = query.Text(6);
    run.exit_code = query.Integer(7);
    run.requests = query.Integer(8);
    run.identity = query.Text(9);
    identities.emplace(run.identity, query.Text(10));
    places.emplace(query.Text(0), history.runs.size());
    history.runs.push_back(std::move(run));
  }
  if (query.Failed()) return rocm::Fail(*query.Failed());
  for (auto& [key, text] : identities) history.identities.push_back({key, std::move(text)});
  Statement covariates(database, "SELECT path, name, value FROM covariates ORDER BY path, name");
  while (covariates.Step()) {
    const auto place = places.find(covariates.Text(0));
    if (place == places.end()) continue;
    history.runs[place->second].covariates.emplace_back(covariates.Text(1), covariates.Text(2));
  }
  if (covariates.Failed()) return rocm::Fail(*covariates.Failed());
  return places;
}

void FindCovariateChanges(History& history) {
  std::map<std::string, const HistoryRun*> before;  // by identity
  for (HistoryRun& run : history.runs) {
    if (run.status != "valid") continue;
    const HistoryRun*& last = before[run.identity];
    if (last != nullptr) {
      std::map<std::string, std::pair<std::string, std::string>> sides;
      for (const auto& [name, value] : last->covariates) sides[name].first = value;
      for (const auto& [name, value] : run.covariates) sides[name].second = value;
      for (auto& [name, values] : sides) {
        if (values.first == values.second) continue;
        run.changed.push_back({name, std::move(values.first), std::move(values.second)});
      }
    }
    last = &run;
  }
}

bool Wanted(const HistorySeries& series, const HistoryQuery& query) {
  return series.series == query.pattern ||
         MatchesPattern(fmt::format("{} {} {} {}", series.scenario, series.variant, series.stage,
                                    series.metric),
                        query.pattern);
}

// A night whose times are not judged, for the instrument was late, is no point among others. Where
// none is, they are shown and not judged.
void LeaveOutUnjudged(const std::vector<bool>& keep, HistorySeries& series) {
  series.judged = std::ranges::find(keep, true) != keep.end();
  if (!series.judged) return;
  const auto leave_out = [&](auto& values) {
    std::size_t at = 0;
    std::erase_if(values, [&](const auto&) { return !keep[at++]; });
  };
  leave_out(series.runs);
  leave_out(series.values);
  leave_out(series.low);
  leave_out(series.high);
  leave_out(series.n);
}

rocm::Result<void> LoadValues(Database& database, const Places& places, const HistoryQuery& query,
                              History& history) {
  const auto& metrics = query.metrics.empty() ? DefaultHistoryMetrics() : query.metrics;
  std::string marks;
  for (std::size_t i = 0; i < metrics.size(); ++i) marks += i == 0 ? "?" : ",?";
  Statement rows(
      database,
      fmt::format("SELECT s.series, s.statistic, s.scenario, s.variant, s.stage, s.path, s.value, "
                  "s.low, s.high, s.n, s.judged FROM statistics s JOIN runs r ON r.path = s.path "
                  "WHERE r.status = 'valid' AND s.value > 0 AND s.statistic IN ({}) ORDER BY "
                  "s.scenario, s.variant, s.stage, s.statistic, s.series, r.started_at, r.run_id",
                  marks));
  for (const std::string& metric : metrics) rows.Bind(metric);
  std::vector<std::vector<bool>> judged;  // of each series, value by value
  while (rows.Step()) {
    const auto place = places.find(rows.Text(5));
    if (place == places.end()) continue;
    HistorySeries next;
    next.series = rows.Text(0);
    next.metric = rows.Text(1);
    const bool same = !history.series.empty() && history.series.back().series == next.series &&
                      history.series.back().metric == next.metric;
    if (!same) {
      next.scenario = rows.Text(2);
      next.variant = rows.Text(3);
      next.stage = rows.Text(4);
      next.identity = history.runs[place->second].identity;
      history.series.push_back(std::move(next));
      judged.emplace_back();
    }
    HistorySeries& series = history.series.back();
    // A copy of a run file is the same night once more.
    if (!series.runs.empty() &&
        history.runs[series.runs.back()].run_id == history.runs[place->second].run_id) {
      continue;
    }
    series.runs.push_back(place->second);
    series.values.push_back(rows.Real(6).value_or(0));
    series.low.push_back(rows.Real(7));
    series.high.push_back(rows.Real(8));
    series.n.push_back(rows.Integer(9));
    judged.back().push_back(rows.Integer(10) != 0 || !IsTiming(series.metric));
  }
  if (rows.Failed()) return rocm::Fail(*rows.Failed());
  for (std::size_t i = 0; i < judged.size(); ++i) LeaveOutUnjudged(judged[i], history.series[i]);
  return {};
}

void JudgeAll(const HistoryQuery& query, History& history) {
  for (HistorySeries& series : history.series) {
    if (!series.judged) continue;
    std::vector<HistoryPoint> points;
    for (std::size_t i = 0; i < series.runs.size(); ++i) {
      const HistoryRun& run = history.runs[series.runs[i]];
      points.push_back({series.values[i], run.run_id, run.covariates});
    }
    series.judgement = JudgeSeries(points, series.metric, query.change_points);
    for (Verdict& verdict : series.judgement.verdicts) {
      verdict.scenario = series.scenario;
      verdict.variant = series.variant;
      verdict.stage = series.stage;
    }
  }
}

}  // namespace

const std::vector<std::string>& DefaultHistoryMetrics() {
  static const std::vector<std::string> metrics = {"ttft_ms.p50", "decode_tokens_per_s.p50",
                                                   "prefill_tokens_per_s.p50",
                                                   "throughput_tokens_per_s", "vram_of_load_bytes"};
  return metrics;
}

rocm::Result<History> LoadHistory(const fs::path& index, const HistoryQuery& query) {
  auto database = Database::Open(index);
  if (!database) return rocm::Fail(std::move(database.error()));
  History history;
  const auto places = LoadRuns(*database, history);
  if (!places) return rocm::Fail(places.error());
  FindCovariateChanges(history);
  if (auto loaded = LoadValues(*database, *places, query, history); !loaded) {
    return rocm::Fail(std::move(loaded.error()));
  }
  std::erase_if(history.series,
                [&](const HistorySeries& series) { return !Wanted(series, query); });
  JudgeAll(query, history);
  return history;
}

std::string_view UnitOf(std::string_view metric) {
  const std::string_view name = metric.substr(0, metric.find('.'));
  if (name.ends_with("_tokens_per_s")) return "tok/s";
  if (name.ends_with("_per_s")) return "1/s";
  if (name.ends_with("_ms")) return "ms";
  if (name.ends_with("_bytes")) return "bytes";
  return "";
}

bool MatchesPattern(std::string_view text, std::string_view pattern) {
  if (pattern.find_first_of("*?") == std::string_view::npos) {
    return text.find(pattern) != std::string_view::npos;
  }
  return ::fnmatch(std::string(pattern).c_str(), std::string(text).c_str(), 0) == 0;
}

}  // namespace harness
