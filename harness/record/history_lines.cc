// SPDX-License-Identifier: EUPL-1.2
#include <map>

#include "harness/base/json.h"
#include "harness/base/wall_clock.h"
#include "harness/measure/comparison.h"
#include "harness/record/history_file.h"
#include "harness/record/run_lines.h"

namespace harness {
namespace {

void Append(const Json& line, std::string& out) {
  out += line.dump(-1, ' ', false, Json::error_handler_t::replace);
  out += '\n';
}

// What the index holds as JSON text; the text itself when it is none.
Json Parsed(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(text) : value;
}

Json OrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json Column(const std::vector<std::optional<double>>& values) {
  Json column = Json::array();
  for (const auto& value : values) column.push_back(OrNull(value));
  return column;
}

Json Head(const History& history, const HistoryQuery& query, std::string_view results,
          std::string_view tool_version) {
  std::map<std::string, int> states{{"valid", 0}, {"partial", 0}, {"invalid", 0}};
  const HistoryRun* newest_valid = nullptr;
  for (const HistoryRun& run : history.runs) {
    ++states[run.status];
    if (run.status == "valid") newest_valid = &run;
  }
  const auto name = [](const HistoryRun* run) {
    return run == nullptr
               ? Json(nullptr)
               : Json{
                     {"run_id", run->run_id}, {"file", run->file}, {"started_at", run->started_at}};
  };
  return {{"type", "history"},
          {"schema", kRunSchema},
          {"tool", {{"name", "rocm-bench"}, {"version", tool_version}}},
          {"made_at", FormatUtc(WallNow())},
          {"results", results},
          {"pattern", query.pattern},
          {"metrics", query.metrics.empty() ? DefaultHistoryMetrics() : query.metrics},
          {"change_points",
           {{"window", query.change_points.window},
            {"p_value", query.change_points.p_value},
            {"magnitude", query.change_points.magnitude}}},
          {"runs", states},
          {"series", history.series.size()},
          {"newest", name(history.runs.empty() ? nullptr : &history.runs.back())},
          {"newest_valid", name(newest_valid)}};
}

Json RunOf(const HistoryRun& run, std::size_t place) {
  Json covariates = Json::object();
  for (const auto& [name, value] : run.covariates) covariates[name] = value;
  Json changed = Json::object();
  for (const CovariateChange& change : run.changed) {
    changed[change.name] = {change.before, change.after};
  }
  return {{"type", "run"},
          {"run", place},
          {"run_id", run.run_id},
          {"file", run.file},
          {"started_at", run.started_at},
          {"status", run.status},
          {"reasons", Parsed(run.reasons)},
          {"exit_code", run.exit_code >= 0 ? Json(run.exit_code) : Json(nullptr)},
          {"target", run.target},
          {"suite", run.suite},
          {"requests", run.requests},
          {"identity", run.identity},
          {"covariates", std::move(covariates)},
          {"changed", std::move(changed)}};
}

// The mean of each stretch between change points.
Json Levels(const HistorySeries& series) {
  std::vector<std::size_t> starts{0};
  for (const auto& change : series.judgement.changes) starts.push_back(change.point.index);
  starts.push_back(series.values.size());
  Json levels = Json::array();
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    double sum = 0;
    for (std::size_t k = starts[i]; k < starts[i + 1]; ++k) sum += series.values[k];
    if (starts[i] == starts[i + 1]) continue;
    levels.push_back({{"first", starts[i]},
                      {"last", starts[i + 1] - 1},
                      {"mean", sum / static_cast<double>(starts[i + 1] - starts[i])}});
  }
  return levels;
}

Json Changes(const HistorySeries& series) {
  Json changes = Json::array();
  for (const auto& change : series.judgement.changes) {
    changes.push_back({{"point", change.point.index},
                       {"run", series.runs[change.point.index]},
                       {"finding", ToString(change.finding)},
                       {"ratio", change.point.ratio()},
                       {"before", change.point.before},
                       {"after", change.point.after},
                       {"p_value", change.point.p_value},
                       {"suspects", change.suspects},
                       {"nearby", change.nearby}});
  }
  return changes;
}

Json SeriesOf(const HistorySeries& series) {
  const auto& fence = series.judgement.fence;
  return {{"type", "series"},
          {"series", series.series},
          {"scenario", series.scenario},
          {"variant", series.variant},
          {"stage", series.stage},
          {"metric", series.metric},
          {"unit", UnitOf(series.metric)},
          {"better", BetterDirection(series.metric) == Better::kHigher ? "higher" : "lower"},
          {"identity", series.identity},
          {"judged", series.judged},
          {"state", ToString(series.judgement.state)},
          {"runs", series.runs},
          {"values", series.values},
          {"low", Column(series.low)},
          {"high", Column(series.high)},
          {"n", series.n},
          {"levels", Levels(series)},
          {"fence", fence ? Json{{"low", fence->low}, {"high", fence->high}} : Json(nullptr)},
          {"changes", Changes(series)}};
}

Json VerdictOf(const HistorySeries& series, std::size_t i, const History& history) {
  const Verdict& verdict = series.judgement.verdicts[i];
  const auto& changes = series.judgement.changes;
  const std::size_t point = i < changes.size() ? changes[i].point.index : series.runs.size() - 1;
  Json line = Json::parse(VerdictLine(verdict));
  line["series"] = series.series;
  line["point"] = point;
  line["run"] = series.runs[point];
  line["run_id"] = history.runs[series.runs[point]].run_id;
  return line;
}

}  // namespace

std::string HistoryLines(const History& history, const HistoryQuery& query,
                         std::string_view results, std::string_view tool_version) {
  std::string out;
  Append(Head(history, query, results, tool_version), out);
  for (const HistoryIdentity& identity : history.identities) {
    Append({{"type", "identity"}, {"identity", identity.key}, {"facts", Parsed(identity.json)}},
           out);
  }
  for (std::size_t i = 0; i < history.runs.size(); ++i) Append(RunOf(history.runs[i], i), out);
  for (const HistorySeries& series : history.series) {
    Append(SeriesOf(series), out);
    for (std::size_t i = 0; i < series.judgement.verdicts.size(); ++i) {
      Append(VerdictOf(series, i, history), out);
    }
  }
  return out;
}

}  // namespace harness
