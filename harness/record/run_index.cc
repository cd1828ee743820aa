// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_index.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "harness/base/sha256.h"
#include "harness/record/run_lines.h"
#include "harness/record/run_reader.h"
#include "harness/record/sqlite.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kIndexSchema = 2;

constexpr const char* kTables = R"sql(
CREATE TABLE IF NOT EXISTS runs(
  run_id TEXT, path TEXT PRIMARY KEY, bytes INTEGER, modified_ns INTEGER, started_at TEXT,
  target TEXT, suite TEXT, status TEXT, backend TEXT, cpu TEXT, gpu TEXT, model TEXT,
  model_sha256 TEXT, server_build TEXT, requests INTEGER, reasons TEXT, exit_code INTEGER,
  identity TEXT, identity_json TEXT);
CREATE TABLE IF NOT EXISTS covariates(path TEXT, run_id TEXT, name TEXT, value TEXT);
CREATE TABLE IF NOT EXISTS statistics(
  path TEXT, run_id TEXT, series TEXT, scenario TEXT, variant TEXT, round INTEGER, stage TEXT,
  statistic TEXT, value REAL, low REAL, high REAL, n INTEGER, supported INTEGER, judged INTEGER,
  error_bound REAL);
CREATE TABLE IF NOT EXISTS verdicts(
  path TEXT, run_id TEXT, kind TEXT, finding TEXT, scenario TEXT, variant TEXT, stage TEXT,
  metric TEXT, observed REAL, reason TEXT);
CREATE INDEX IF NOT EXISTS statistics_series ON statistics(series, statistic);
CREATE INDEX IF NOT EXISTS statistics_path ON statistics(path);
CREATE INDEX IF NOT EXISTS covariates_path ON covariates(path);
CREATE INDEX IF NOT EXISTS verdicts_path ON verdicts(path);
)sql";
constexpr const char* kDropTables = R"sql(
DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS covariates;
DROP TABLE IF EXISTS statistics; DROP TABLE IF EXISTS verdicts;
)sql";

struct FileState {
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;
  friend bool operator==(const FileState&, const FileState&) = default;
};

std::optional<FileState> StateOf(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileState{status.st_size, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

std::optional<double> RealOr(const json& object, std::string_view key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

const json& ObjectAt(const json& object, std::string_view key) {
  static const json kEmpty = json::object();
  if (!object.is_object()) return kEmpty;
  const auto it = object.find(key);
  return it != object.end() && it->is_object() ? *it : kEmpty;
}

// Scalars as they are, the rest as JSON text.
std::string Shown(const json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Writes one run file into an open transaction. The first failure sticks.
class RunImport {
 public:
  RunImport(Database& database, fs::path path, FileState state)
      : path_(path.string()),
        state_(state),
        statistic_(database, "INSERT INTO statistics VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
        verdict_(database, "INSERT INTO verdicts VALUES(?,?,?,?,?,?,?,?,?,?)"),
        covariate_(database, "INSERT INTO covariates VALUES(?,?,?,?)"),
        run_(database, "INSERT INTO runs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)") {}

  void Line(const json& line) {
    const std::string type = TextOr(line, "type");
    if (type == "header") {
      header_ = line;
    } else if (type == "end") {
      end_ = line;
    } else if (type == "summary") {
      KeepSummary(line);
    } else if (type == "event" && TextOr(line, "event") == "server_started") {
      // The header is written before a server runs; this is where its build is known.
      if (build_.empty()) build_ = TextOr(ObjectAt(line, "detail"), "build");
    } else if (type == "verdict") {
      AddVerdict(line);
    }
  }

  // After Finish().
  [[nodiscard]] const std::string& status() const { return status_; }
  [[nodiscard]] std::int64_t schema() const { return IntOr(header_, "schema", 0); }

  rocm::Result<void> Finish() {
    for (const auto& [where, summary] : summaries_) Summary(summary);
    const json& identity = ObjectAt(ObjectAt(header_, "fingerprint"), "identity");
    json covariates = ObjectAt(ObjectAt(header_, "fingerprint"), "covariates");
    if (!build_.empty() && !covariates.contains("server_build")) {
      covariates["server_build"] = build_;
    }
    const json& model = ObjectAt(identity, "model");
    status_ = Status();
    std::string gpus;
    if (const auto it = identity.find("gpus"); it != identity.end() && it->is_array()) {
      for (const json& gpu : *it) {
        gpus += (gpus.empty() ? "" : ", ") + (gpu.is_object() ? TextOr(gpu, "model") : "");
      }
    }
    Keep(run_.Bind(RunId())
             .Bind(path_)
             .Bind(state_.bytes)
             .Bind(state_.modified_ns)
             .Bind(TextOr(header_, "started_at"))
             .Bind(TextOr(header_, "target"))
             .Bind(TextOr(header_, "suite"))
             .Bind(status_)
             .Bind(TextOr(identity, "backend"))
             .Bind(TextOr(ObjectAt(identity, "cpu"), "model"))
             .Bind(gpus)
             .Bind(TextOr(model, "name"))
             .Bind(TextOr(model, "sha256"))
             .Bind(TextOr(covariates, "server_build"))
             .Bind(end_.is_object() ? IntOr(end_, "requests", -1) : -1)
             .Bind(end_.is_object() && end_.contains("reasons") ? Shown(end_["reasons"]) : "[]")
             .Bind(end_.is_object() ? IntOr(end_, "exit_code", -1) : -1)
             .Bind(IdentityKey(identity))
             .Bind(Shown(identity))
             .Run());
    for (const auto& [name, value] : FlattenCovariates(covariates)) {
      Keep(covariate_.Bind(path_).Bind(RunId()).Bind(name).Bind(value).Run());
    }
    return result_;
  }

 private:
  std::string Status() const {
    // Of another version, numbers may mean something else: they join no trend.
    if (!header_.empty() && IntOr(header_, "schema", 0) != kRunSchema) return "unsupported";
    if (end_.is_object() && !header_.empty()) return TextOr(end_, "status", "partial");
    const auto info = InspectRun(path_);  // running, or cut off
    return info ? info->state : "partial";
  }

  std::string RunId() const { return TextOr(header_, "run_id", fs::path(path_).stem().string()); }

  // The one over all rounds (-1) takes the place of theirs.
  void KeepSummary(const json& line) {
    json& kept = summaries_[{TextOr(line, "scenario"), TextOr(line, "variant"),
                             TextOr(line, "stage"), TextOr(line, "series")}];
    if (kept.is_null() || IntOr(line, "round", 0) < IntOr(kept, "round", 0)) kept = line;
  }

  void Summary(const json& line) {
    for (const auto& [metric, distribution] : ObjectAt(line, "metrics").items()) {
      if (!distribution.is_object()) continue;
      const std::int64_t n = IntOr(distribution, "n", 0);
      for (const auto& [name, value] : distribution.items()) {
        if (value.is_object()) {
          Add(line, metric + "." + name, RealOr(value, "value"), RealOr(value, "low"),
              RealOr(value, "high"), n, value.value("supported", json(true)) == true);
        } else if (name == "mean" && value.is_number()) {
          Add(line, metric + ".mean", value.get<double>(), {}, {}, n, true);
        }
      }
    }
    const json& rounds = ObjectAt(line, "rounds");
    const std::int64_t requests = IntOr(line, "requests", 0);
    for (const auto& [name, value] : ObjectAt(line, "values").items()) {
      if (!value.is_number()) continue;
      const json& over = ObjectAt(rounds, name);
      Add(line, name, value.get<double>(), RealOr(over, "low"), RealOr(over, "high"), requests,
          true);
    }
  }

  void Add(const json& line, const std::string& statistic, std::optional<double> value,
           std::optional<double> low, std::optional<double> high, std::int64_t n, bool supported) {
    Keep(statistic_.Bind(path_)
             .Bind(RunId())
             .Bind(TextOr(line, "series"))
             .Bind(TextOr(line, "scenario"))
             .Bind(TextOr(line, "variant"))
             .Bind(IntOr(line, "round", 0))
             .Bind(TextOr(line, "stage"))
             .Bind(statistic)
             .Bind(value)
             .Bind(low)
             .Bind(high)
             .Bind(n)
             .Bind(std::int64_t{supported ? 1 : 0})
             .Bind(std::int64_t{line.value("timing_judged", json(true)) == true ? 1 : 0})
             .Bind(RealOr(ObjectAt(line, "error_bounds"), statistic))
             .Run());
  }

  void AddVerdict(const json& line) {
    Keep(verdict_.Bind(path_)
             .Bind(RunId())
             .Bind(TextOr(line, "kind"))
             .Bind(TextOr(line, "finding"))
             .Bind(TextOr(line, "scenario"))
             .Bind(TextOr(line, "variant"))
             .Bind(TextOr(line, "stage"))
             .Bind(TextOr(line, "metric"))
             .Bind(RealOr(line, "observed"))
             .Bind(TextOr(line, "reason"))
             .Run());
  }

  void Keep(rocm::Result<void> result) {
    if (!result && result_) result_ = std::move(result);
  }

  const std::string path_;
  const FileState state_;
  json header_ = json::object();
  json end_;
  std::string build_;
  std::string status_;
  std::map<std::array<std::string, 4>, json> summaries_;  // by scenario, variant, stage, series
  Statement statistic_;
  Statement verdict_;
  Statement covariate_;
  Statement run_;
  rocm::Result<void> result_;
};

rocm::Result<void> Forget(Database& database, const std::string& path) {
  for (const char* table : {"runs", "covariates", "statistics", "verdicts"}) {
    Statement statement(database, fmt::format("DELETE FROM {} WHERE path = ?", table));
    if (auto done = statement.Bind(path).Run(); !done) return done;
  }
  return {};
}

rocm::Result<std::map<std::string, FileState>> Known(Database& database) {
  std::map<std::string, FileState> known;
  // A running one may be killed and never change again: it is looked at every time.
  Statement query(database,
                  "SELECT path, CASE status WHEN 'running' THEN -1 ELSE bytes END, modified_ns "
                  "FROM runs");
  while (query.Step()) known[query.Text(0)] = {query.Integer(1), query.Integer(2)};
  if (query.Failed()) return rocm::Fail(*query.Failed());
  return known;
}

rocm::Result<void> Import(Database& database, const fs::path& path, FileState state,
                          IndexReport& report) {
  if (auto done = Forget(database, path.string()); !done) return done;
  RunImport import(database, path, state);
  const auto damage = ReadRun(
      path, [&](const json& line) { import.Line(line); }, RunParts::kTotals);
  if (!damage) {
    report.problems.push_back(damage.error().message);
    return {};
  }
  if (damage->broken_lines > 0) {
    report.problems.push_back(
        fmt::format("{}: {} lines are no JSON", path.string(), damage->broken_lines));
  }
  ++report.added;
  auto done = import.Finish();
  if (import.status() == "unsupported") {
    report.problems.push_back(fmt::format("{}: schema {}, this program reads {}: not in any trend",
                                          path.string(), import.schema(), kRunSchema));
  } else if (import.status() == "damaged") {
    report.problems.push_back(fmt::format("{}: has no header: not a run file", path.string()));
  }
  return done;
}

rocm::Result<IndexReport> Update(Database& database, const fs::path& directory) {
  IndexReport report;
  auto known = Known(database);
  if (!known) return rocm::Fail(std::move(known.error()));
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(directory, ec)) {
    if (entry.path().extension() != ".jsonl") continue;
    const auto state = StateOf(entry.path());
    if (!state) continue;
    const auto it = known->find(entry.path().string());
    const bool same = it != known->end() && it->second == *state;
    if (it != known->end()) known->erase(it);
    if (same) {
      ++report.unchanged;
      continue;
    }
    if (auto done = Import(database, entry.path(), *state, report); !done) {
      return rocm::Fail(std::move(done.error()));
    }
  }
  for (const auto& [path, state] : *known) {
    if (auto done = Forget(database, path); !done) return rocm::Fail(std::move(done.error()));
    ++report.removed;
  }
  return report;
}

void Flatten(const json& value, const std::string& name,
             std::vector<std::pair<std::string, std::string>>& out) {
  if (!value.is_structured()) {
    out.emplace_back(name, Shown(value));
    return;
  }
  std::size_t i = 0;
  for (const auto& [key, child] : value.items()) {
    const std::string part = value.is_array() ? std::to_string(i++) : key;
    Flatten(child, name.empty() ? part : name + "." + part, out);
  }
}

// True when the tables are of another version, or none of ours.
bool IsForeign(Database& database) {
  Statement query(database, "PRAGMA user_version");
  return query.Step() && query.Integer(0) != kIndexSchema;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> FlattenCovariates(const json& covariates) {
  std::vector<std::pair<std::string, std::string>> flat;
  if (covariates.is_object()) Flatten(covariates, "", flat);
  std::ranges::sort(flat);
  return flat;
}

std::string IdentityKey(const json& identity) {
  return Sha256Hex(identity.dump(-1, ' ', false, json::error_handler_t::replace)).substr(0, 16);
}

rocm::Result<IndexReport> UpdateIndex(const fs::path& directory, const fs::path& index,
                                      bool rebuild) {
  auto database = Database::Open(index);
  if (!database) return rocm::Fail(std::move(database.error()));
  if (auto begun = database->Execute("BEGIN IMMEDIATE"); !begun) {
    return rocm::Fail(std::move(begun.error()));
  }
  const bool fresh = rebuild || IsForeign(*database);
  const std::string tables = std::string(fresh ? kDropTables : "") + kTables +
                             fmt::format("PRAGMA user_version = {};", kIndexSchema);
  auto made = database->Execute(tables);
  auto report = made ? Update(*database, directory)
                     : rocm::Result<IndexReport>(rocm::Fail(std::move(made.error())));
  const auto ended = database->Execute(report ? "COMMIT" : "ROLLBACK");
  if (report && !ended) return rocm::Fail(ended.error());
  return report;
}

rocm::Result<std::vector<HistoryPoint>> LoadSeries(const fs::path& index, const std::string& series,
                                                   const std::string& statistic) {
  auto database = Database::Open(index);
  if (!database) return rocm::Fail(std::move(database.error()));
  // -1 (all rounds) sorts before 0: the first row of a run is the one that counts.
  Statement query(*database,
                  "SELECT s.run_id, s.value, s.path FROM statistics s JOIN runs r ON r.path = "
                  "s.path WHERE s.series = ? AND s.statistic = ? AND r.status = 'valid' AND "
                  "s.value > 0 ORDER BY r.started_at, s.run_id, s.round");
  query.Bind(series).Bind(statistic);
  std::vector<HistoryPoint> points;
  std::vector<std::string> paths;
  while (query.Step()) {
    if (!points.empty() && points.back().run_id == query.Text(0)) continue;
    points.push_back({query.Real(1).value_or(0), query.Text(0), {}});
    paths.push_back(query.Text(2));
  }
  if (query.Failed()) return rocm::Fail(*query.Failed());
  for (std::size_t i = 0; i < points.size(); ++i) {
    Statement covariates(*database, "SELECT name, value FROM covariates WHERE path = ?");
    covariates.Bind(paths[i]);
    while (covariates.Step()) {
      points[i].covariates.emplace_back(covariates.Text(0), covariates.Text(1));
    }
  }
  return points;
}

rocm::Result<std::vector<SeriesInfo>> ListSeries(const fs::path& index) {
  auto database = Database::Open(index);
  if (!database) return rocm::Fail(std::move(database.error()));
  Statement query(*database,
                  "SELECT series, scenario, variant, stage, COUNT(DISTINCT run_id) FROM statistics "
                  "GROUP BY series ORDER BY scenario, variant, stage, series");
  std::vector<SeriesInfo> list;
  while (query.Step()) {
    list.push_back({query.Text(0), query.Text(1), query.Text(2), query.Text(3), query.Integer(4)});
  }
  if (query.Failed()) return rocm::Fail(*query.Failed());
  return list;
}

}  // namespace harness
