// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "harness/base/json.h"
#include "harness/record/baseline.h"
#include "harness/record/run_index.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{256} << 20U;
constexpr int kMaxDepth = 64;

rocm::Result<Baseline> Bad(const fs::path& path, const std::string& why) {
  return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                    fmt::format("{} is no baseline: {}", path.string(), why));
}

const json& ObjectAt(const json& value, const char* key) {
  static const json kEmpty = json::object();
  const auto it = value.find(key);
  return it != value.end() && it->is_object() ? *it : kEmpty;
}

std::vector<std::string> Texts(const json& value, const char* key) {
  std::vector<std::string> texts;
  const auto it = value.find(key);
  if (it == value.end() || !it->is_array()) return texts;
  for (const json& text : *it) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

Json WriteRun(const BaselineRun& run) {
  return {{"run_id", run.run_id},
          {"file", run.file.filename().string()},
          {"file_sha256", run.file_sha256},
          {"started_at", run.started_at},
          {"tool_version", run.tool_version},
          {"status", run.status},
          {"exit_code", run.exit_code},
          {"target", run.target},
          {"command", run.command},
          {"server", {{"binary", run.binary}, {"build", run.build}}}};
}

BaselineRun ReadRunEntry(const json& value) {
  BaselineRun run;
  run.run_id = TextOr(value, "run_id");
  run.file = TextOr(value, "file");
  run.file_sha256 = TextOr(value, "file_sha256");
  run.started_at = TextOr(value, "started_at");
  run.tool_version = TextOr(value, "tool_version");
  run.status = TextOr(value, "status");
  run.exit_code = IntOr(value, "exit_code", -1);
  run.target = TextOr(value, "target");
  run.command = Texts(value, "command");
  run.binary = TextOr(ObjectAt(value, "server"), "binary");
  run.build = TextOr(ObjectAt(value, "server"), "build");
  return run;
}

Json WriteMetric(const BaselineMetric& metric) {
  Json out{{"value", metric.value}};
  if (!metric.starts.empty()) out["starts"] = metric.starts;
  if (metric.error_bound) out["error_bound"] = *metric.error_bound;
  if (!metric.note.empty()) out["note"] = metric.note;
  return out;
}

// nullopt where it is no positive number.
std::optional<BaselineMetric> ReadMetric(const json& value) {
  BaselineMetric metric;
  const auto positive = [](const json& number) {
    return number.is_number() && number.get<double>() > 0 && std::isfinite(number.get<double>());
  };
  if (!value.is_object() || !value.contains("value") || !positive(value["value"])) {
    return std::nullopt;
  }
  metric.value = value["value"].get<double>();
  metric.note = TextOr(value, "note");
  if (value.contains("error_bound") && value["error_bound"].is_number()) {
    metric.error_bound = value["error_bound"].get<double>();
  }
  if (!value.contains("starts")) return metric;
  if (!value["starts"].is_array()) return std::nullopt;
  for (const json& start : value["starts"]) {
    if (!positive(start)) return std::nullopt;
    metric.starts.push_back(start.get<double>());
  }
  return metric;
}

Json WriteSeries(const BaselineSeries& series) {
  Json out{{"scenario", series.scenario}, {"variant", series.variant}, {"stage", series.stage}};
  if (!series.series.empty()) {
    out["series"] = series.series;
    out["settings"] = series.settings;
    out["judged"] = series.judged;
    out["run_ids"] = series.run_ids;
    out["requests"] = series.requests;
    out["requests_failed"] = series.requests_failed;
  }
  if (!series.match.is_null()) out["match"] = series.match;
  out["metrics"] = Json::object();
  for (const auto& [name, metric] : series.metrics) out["metrics"][name] = WriteMetric(metric);
  if (series.answers.empty()) return out;
  out["answers"] = Json::object();
  for (const auto& [index, hash] : series.answers) out["answers"][std::to_string(index)] = hash;
  return out;
}

// "" or what is wrong with it.
std::string ReadSeries(const json& value, const std::string& kind, BaselineSeries& series) {
  if (!value.is_object()) return "is no object";
  series.series = TextOr(value, "series");
  series.scenario = TextOr(value, "scenario");
  series.variant = TextOr(value, "variant");
  series.stage = TextOr(value, "stage");
  if (series.scenario.empty() || series.stage.empty()) return "has no scenario or no stage";
  if (kind == "measured" && series.series.empty()) return "has no series key";
  series.settings = ObjectAt(value, "settings");
  series.judged = value.value("judged", json(true)) == true;
  series.run_ids = Texts(value, "run_ids");
  series.requests = IntOr(value, "requests", 0);
  series.requests_failed = IntOr(value, "requests_failed", 0);
  if (value.contains("match")) series.match = value["match"];
  for (const auto& [name, entry] : ObjectAt(value, "metrics").items()) {
    auto metric = ReadMetric(entry);
    if (!metric) return fmt::format("metric {} has no positive value", name);
    series.metrics[name] = *std::move(metric);
  }
  if (series.metrics.empty()) return "has no metrics";
  for (const auto& [index, hash] : ObjectAt(value, "answers").items()) {
    if (!hash.is_string() || index.empty() || index.size() > 18 ||
        index.find_first_not_of("0123456789") != std::string::npos) {
      return "has answers that are no hashes by request index";
    }
    series.answers[std::stoll(index)] = hash.get<std::string>();
  }
  return "";
}

rocm::Result<Baseline> FromJson(const json& value, const fs::path& path) {
  if (TextOr(value, "type") != "baseline") return Bad(path, "its type is not \"baseline\"");
  if (const std::int64_t schema = IntOr(value, "schema", 0); schema != kBaselineSchema) {
    return Bad(path, fmt::format("schema {}, this program reads {}", schema, kBaselineSchema));
  }
  Baseline baseline;
  baseline.kind = TextOr(value, "kind");
  if (baseline.kind != "measured" && baseline.kind != "published") {
    return Bad(path, "$.kind must be measured or published");
  }
  baseline.read_only = value.value("read_only", json(false)) == true;
  baseline.made_at = TextOr(value, "made_at");
  baseline.tool_version = TextOr(ObjectAt(value, "tool"), "version");
  baseline.note = TextOr(value, "note");
  baseline.identity = ObjectAt(ObjectAt(value, "fingerprint"), "identity");
  baseline.covariates = ObjectAt(ObjectAt(value, "fingerprint"), "covariates");
  baseline.source = ObjectAt(value, "source");
  if (value.contains("runs") && value["runs"].is_array()) {
    for (const json& run : value["runs"]) {
      if (run.is_object()) baseline.runs.push_back(ReadRunEntry(run));
    }
  }
  if (!value.contains("series") || !value["series"].is_array()) {
    return Bad(path, "$.series is missing");
  }
  for (std::size_t i = 0; i < value["series"].size(); ++i) {
    BaselineSeries series;
    const std::string wrong = ReadSeries(value["series"][i], baseline.kind, series);
    if (!wrong.empty()) return Bad(path, fmt::format("$.series[{}] {}", i, wrong));
    baseline.series.push_back(std::move(series));
  }
  return baseline;
}

}  // namespace

rocm::Result<Baseline> LoadBaseline(const fs::path& path) {
  std::error_code ec;
  if (path.extension() == ".jsonl") return BaselineOfRun(path);
  if (!fs::is_regular_file(path, ec)) {
    return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("no such file: {}", path.string()));
  }
  if (fs::file_size(path, ec) > kMaxBytes) return Bad(path, "larger than 256 MiB");
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  bool too_deep = false;
  const auto guard = [&](int depth, json::parse_event_t, json&) {
    too_deep |= depth > kMaxDepth;
    return depth <= kMaxDepth;
  };
  const json value = json::parse(text, guard, false);
  if (too_deep || value.is_discarded() || !value.is_object()) {
    const auto run = InspectRun(path);
    if (run && run->state != "damaged") return BaselineOfRun(path);
    return Bad(path, "not one JSON object");
  }
  if (TextOr(value, "type") == "header") return BaselineOfRun(path);
  return FromJson(value, path);
}

std::string BaselineJson(const Baseline& baseline) {
  Json out{{"type", "baseline"},
           {"schema", kBaselineSchema},
           {"kind", baseline.kind},
           {"read_only", baseline.read_only},
           {"made_at", baseline.made_at},
           {"tool", {{"name", "rocm-bench"}, {"version", baseline.tool_version}}},
           {"note", baseline.note}};
  if (baseline.kind == "published") {
    out["source"] = baseline.source;
  } else {
    out["identity"] = IdentityKey(baseline.identity);
    out["fingerprint"] = {{"identity", baseline.identity}, {"covariates", baseline.covariates}};
  }
  out["runs"] = Json::array();
  for (const BaselineRun& run : baseline.runs) out["runs"].push_back(WriteRun(run));
  out["series"] = Json::array();
  for (const BaselineSeries& series : baseline.series) {
    out["series"].push_back(WriteSeries(series));
  }
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace harness
