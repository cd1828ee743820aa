// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "harness/measure/verdict.h"

namespace harness {

inline constexpr int kBaselineSchema = 1;

// One statistic of a series: its value, and that of each server start (rounds on one server are one
// value). Published figures have no starts.
struct BaselineMetric {
  double value = 0;
  std::vector<double> starts;
  std::optional<double> error_bound;  // the instrument's, in the metric's unit
  std::string note;                   // published: what the figure is worth
};

struct BaselineSeries {
  std::string series;  // SeriesKey(); empty for published figures
  std::string scenario;
  std::string variant;
  std::string stage;
  nlohmann::json settings = nlohmann::json::object();
  bool judged = true;  // false: its times carry no verdict
  std::int64_t requests = 0;
  std::int64_t requests_failed = 0;
  std::vector<std::string> run_ids;
  std::map<std::string, BaselineMetric> metrics;
  // Greedy answers of the first round: request index to the first 16 hex digits of the text's hash.
  // Empty where sampling is not greedy.
  std::map<std::int64_t, std::string> answers;
  nlohmann::json match;  // published: what the model must be
};

// The run file that something was taken from.
struct BaselineRun {
  std::string run_id;
  std::filesystem::path file;
  std::string file_sha256;
  std::string started_at;
  std::string tool_version;
  std::string status;
  std::int64_t exit_code = -1;
  std::vector<std::string> reasons;
  std::string target;
  std::vector<std::string> command;
  std::string binary;  // of the server
  std::string build;
};

// What numbers are compared with: one run or several, or a file of them. A value type.
struct Baseline {
  std::string kind = "measured";  // or "published": for the reader's eyes, never judged
  bool read_only = false;
  std::string made_at;
  std::string tool_version;
  std::string note;
  nlohmann::json identity = nlohmann::json::object();
  nlohmann::json covariates = nlohmann::json::object();
  std::vector<BaselineRun> runs;
  std::vector<BaselineSeries> series;
  nlohmann::json source;  // published: where the figures are from, and what is wrong with them
  // Of a run only, not kept in files.
  std::map<std::string, nlohmann::ordered_json> scenarios;  // resolved, by name
  std::vector<Verdict> comparisons;                         // of an A/B

  [[nodiscard]] const BaselineSeries* Find(std::string_view series_key) const;
};

// A run file, with all that a comparison needs. kInvalidArgument for a file that is none, or of
// another schema; partial and invalid runs are read: `runs[0].status` says it.
[[nodiscard]] rocm::Result<Baseline> BaselineOfRun(const std::filesystem::path& run);

// Joins runs of one identity: values are means over all server starts. kInvalidArgument with the
// differing fields otherwise.
[[nodiscard]] rocm::Result<void> AddRun(Baseline& into, const Baseline& run);

// "model.sha256: 1a2b is not 3c4d" for each identity field that differs; empty: the same.
[[nodiscard]] std::vector<std::string> IdentityDifferences(const nlohmann::json& a,
                                                           const nlohmann::json& b);

// A baseline file (results/schema/baseline.schema.json), or a run file.
[[nodiscard]] rocm::Result<Baseline> LoadBaseline(const std::filesystem::path& path);
// Pretty-printed JSON with a newline at its end.
[[nodiscard]] std::string BaselineJson(const Baseline& baseline);

// DIRECTORY/<backend>-<gpu or cpu>-<model>-<16 hex digits of the identity>.json
[[nodiscard]] std::filesystem::path BaselinePath(const std::filesystem::path& directory,
                                                 const nlohmann::json& identity);

// Published figures of this hardware and model: those read from `directory`, reduced to the series
// that match. Files that cannot be read are left out.
[[nodiscard]] std::vector<Baseline> PublishedFor(const std::filesystem::path& directory,
                                                 const nlohmann::json& identity);

}  // namespace harness
