// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <climits>
#include <cmath>
#include <tuple>

#include "harness/base/sha256.h"
#include "harness/record/baseline.h"
#include "harness/record/run_lines.h"
#include "harness/record/run_parse.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kKeptAnswers = 256;
constexpr std::size_t kKeptDigits = 16;

// Which statistics of a summary a baseline keeps: all medians, percentiles that n carries, values.
std::map<std::string, double> Statistics(const StageSummary& summary) {
  std::map<std::string, double> found;
  for (const auto& [name, distribution] : summary.distributions) {
    for (const Quantile& q : distribution.quantiles) {
      if (q.p == 0.5 || q.supported) found[name + "." + QuantileName(q.p)] = q.value;
    }
  }
  for (const auto& [name, value] : summary.values) found[name] = value;
  // Ratios and logarithms need positive values.
  std::erase_if(
      found, [](const auto& entry) { return !(entry.second > 0) || !std::isfinite(entry.second); });
  return found;
}

class RunDigest {
 public:
  void Line(const json& line) {
    const std::string type = TextOr(line, "type");
    if (type == "header") {
      Header(line);
    } else if (type == "event") {
      Event(line);
    } else if (type == "request") {
      Request(line);
    } else if (type == "summary") {
      Summary(line);
    } else if (type == "verdict") {
      Verdict verdict = ParseVerdict(line);
      if (verdict.kind == VerdictKind::kComparison) result_.comparisons.push_back(verdict);
    } else if (type == "end") {
      const RunEnd end = ParseEnd(line);
      run_.status = ToString(end.status);
      run_.exit_code = end.exit_code;
      run_.reasons = end.reasons;
    }
  }

  [[nodiscard]] bool has_header() const { return schema_ != 0; }
  [[nodiscard]] std::int64_t schema() const { return schema_; }

  Baseline Finish(const fs::path& path, std::string sha256) {
    run_.file = path;
    run_.file_sha256 = std::move(sha256);
    if (!run_.build.empty() && !result_.covariates.contains("server_build")) {
      result_.covariates["server_build"] = run_.build;
    }
    for (auto& [where, kept] : series_) {
      if (kept.series.series.empty()) continue;  // requests without a summary
      for (auto& [name, starts] : kept.starts) {
        BaselineMetric& metric = kept.series.metrics[name];
        for (const auto& [start, values] : starts) {
          double sum = 0;
          for (const double value : values) sum += value;
          metric.starts.push_back(sum / static_cast<double>(values.size()));
        }
        // A percentile that only single rounds carry.
        if (metric.value <= 0) metric.value = metric.starts.front();
      }
      kept.series.run_ids = {run_.run_id};
      result_.series.push_back(std::move(kept.series));
    }
    result_.runs = {run_};
    return std::move(result_);
  }

 private:
  using Where = std::tuple<std::string, std::string, std::string>;  // scenario, variant, stage
  struct Kept {
    BaselineSeries series;
    int round = INT_MAX;  // of the summary that `value` is from
    // By statistic and server start: the values of its rounds.
    std::map<std::string, std::map<int, std::vector<double>>> starts;
  };

  static Where WhereOf(const json& line) {
    return {TextOr(line, "scenario"), TextOr(line, "variant"), TextOr(line, "stage")};
  }

  void Header(const json& line) {
    schema_ = IntOr(line, "schema", -1);
    run_.run_id = TextOr(line, "run_id");
    run_.started_at = TextOr(line, "started_at");
    run_.target = TextOr(line, "target");
    run_.status = "partial";
    const auto tool = line.find("tool");
    if (tool != line.end() && tool->is_object()) run_.tool_version = TextOr(*tool, "version");
    if (line.contains("command") && line["command"].is_array()) {
      for (const json& word : line["command"]) {
        if (word.is_string()) run_.command.push_back(word.get<std::string>());
      }
    }
    if (line.contains("server") && line["server"].is_object()) {
      run_.binary = TextOr(line["server"], "binary");
      run_.build = TextOr(line["server"], "build");
    }
    if (line.contains("fingerprint") && line["fingerprint"].is_object()) {
      result_.identity = line["fingerprint"].value("identity", json::object());
      result_.covariates = line["fingerprint"].value("covariates", json::object());
    }
    if (!line.contains("scenarios") || !line["scenarios"].is_array()) return;
    for (const json& scenario : line["scenarios"]) {
      if (scenario.is_object()) result_.scenarios[TextOr(scenario, "name")] = scenario;
    }
  }

  // Rounds belong to the server that was started last before their first event.
  void Event(const json& line) {
    if (TextOr(line, "event") == "server_started") {
      ++start_;
      const auto detail = line.find("detail");
      if (detail != line.end() && detail->is_object()) {
        if (run_.binary.empty()) run_.binary = TextOr(*detail, "binary");
        if (run_.build.empty()) run_.build = TextOr(*detail, "build");
      }
    }
    start_of_.insert(
        {{TextOr(line, "scenario"), TextOr(line, "variant"), IntOr(line, "round", 0)}, start_});
  }

  [[nodiscard]] bool Greedy(const std::string& scenario) const {
    const auto found = result_.scenarios.find(scenario);
    if (found == result_.scenarios.end() || !found->second.contains("workload")) return false;
    const auto& workload = found->second["workload"];
    return workload.is_object() && workload.contains("temperature") &&
           workload["temperature"].is_number() && workload["temperature"].get<double>() == 0;
  }

  void Request(const json& line) {
    const std::int64_t index = IntOr(line, "index", -1);
    const std::string hash = TextOr(line, "text_sha256");
    if (IntOr(line, "round", 0) != 0 || index < 0 || index >= kKeptAnswers ||
        TextOr(line, "outcome") != "ok" || hash.empty() || !Greedy(TextOr(line, "scenario"))) {
      return;
    }
    series_[WhereOf(line)].series.answers[index] = hash.substr(0, kKeptDigits);
  }

  void Summary(const json& line) {
    const StageSummary summary = ParseSummary(line);
    Kept& kept = series_[WhereOf(line)];
    BaselineSeries& series = kept.series;
    series.series = TextOr(line, "series");
    series.scenario = summary.scenario;
    series.variant = summary.variant;
    series.stage = summary.stage;
    series.settings = line.value("settings", json::object());
    series.judged = line.value("timing_judged", json(true)) == true;
    const std::map<std::string, double> statistics = Statistics(summary);
    if (summary.round >= 0) {
      const auto start = start_of_.find({summary.scenario, summary.variant, summary.round});
      // Without events each round counts as its own: older files.
      const int which =
          start != start_of_.end() && start->second > 0 ? start->second : -1 - summary.round;
      for (const auto& [name, value] : statistics) kept.starts[name][which].push_back(value);
    }
    if (summary.round >= kept.round) return;  // the one over all rounds (-1) counts
    kept.round = summary.round;
    series.requests = summary.requests;
    series.requests_failed = summary.requests_failed;
    for (const auto& [name, value] : statistics) {
      series.metrics[name].value = value;
      const auto& bounds = line.find("error_bounds");
      if (bounds == line.end() || !bounds->is_object()) continue;
      const auto bound = bounds->find(name);
      if (bound != bounds->end() && bound->is_number()) {
        series.metrics[name].error_bound = bound->get<double>();
      }
    }
  }

  Baseline result_;
  BaselineRun run_;
  std::int64_t schema_ = 0;
  int start_ = 0;
  std::map<std::tuple<std::string, std::string, std::int64_t>, int> start_of_;
  std::map<Where, Kept> series_;
};

}  // namespace

rocm::Result<Baseline> BaselineOfRun(const fs::path& path) {
  RunDigest digest;
  const auto damage = ReadRun(path, [&](const json& line) { digest.Line(line); });
  if (!damage) return rocm::Fail(damage.error());
  if (!digest.has_header()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{} is no run file: it has no header line", path.string()));
  }
  if (digest.schema() != kRunSchema) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{} has schema {}: this program reads {}", path.string(),
                                  digest.schema(), kRunSchema));
  }
  auto sha256 = Sha256File(path);
  if (!sha256) return rocm::Fail(std::move(sha256.error()));
  Baseline baseline = digest.Finish(path, *std::move(sha256));
  if (damage->broken_lines > 0 && baseline.runs[0].status == "valid") {
    baseline.runs[0].status = "invalid";
    baseline.runs[0].reasons.push_back(
        fmt::format("{} lines of the file are no JSON: it was damaged", damage->broken_lines));
  }
  return baseline;
}

}  // namespace harness
