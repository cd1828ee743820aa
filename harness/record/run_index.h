// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "backend/error.h"
#include "harness/measure/history.h"

namespace harness {

// An SQLite index over run files: rebuildable at any time, never the source of truth.
//   runs(run_id, path, bytes, modified_ns, started_at, target, suite, status, backend, cpu, gpu,
//        model, model_sha256, server_build, requests, reasons, exit_code, identity, identity_json)
//   covariates(run_id, name, value)      flat names: "gpus.0.driver", "environment.GGML_X"
//   statistics(run_id, series, scenario, variant, round, stage, statistic, value, low, high, n,
//              supported, judged, error_bound)
//        one row for each percentile, mean and value of each stage: of the summary over all rounds
//        where there is one (round -1), else of the only round. judged: timings of this stage may
//        carry a verdict
//   verdicts(run_id, kind, finding, scenario, variant, stage, metric, observed, reason)
struct IndexReport {
  int added = 0;      // new or changed files
  int unchanged = 0;  // same size and time as when they were read
  int removed = 0;    // files that are gone
  std::vector<std::string> problems;
};

// Brings `index` up to date with the *.jsonl of `directory`; with `rebuild` from nothing. All or
// nothing: a run that is interrupted leaves the old index.
[[nodiscard]] rocm::Result<IndexReport> UpdateIndex(const std::filesystem::path& directory,
                                                    const std::filesystem::path& index,
                                                    bool rebuild = false);

// Covariates as flat names and texts, sorted: {"gpus": [{"driver": "x"}]} is "gpus.0.driver".
[[nodiscard]] std::vector<std::pair<std::string, std::string>> FlattenCovariates(
    const nlohmann::json& covariates);

// 16 hex digits over the identity of a fingerprint, keys sorted.
[[nodiscard]] std::string IdentityKey(const nlohmann::json& identity);

// One statistic of one series over all valid runs, oldest first: the input of JudgeHistory(). Of a
// run with several rounds the summary over all of them.
[[nodiscard]] rocm::Result<std::vector<HistoryPoint>> LoadSeries(const std::filesystem::path& index,
                                                                 const std::string& series,
                                                                 const std::string& statistic);

// Every series in the index, with what it is about.
struct SeriesInfo {
  std::string series;
  std::string scenario;
  std::string variant;
  std::string stage;
  std::int64_t runs = 0;
};
[[nodiscard]] rocm::Result<std::vector<SeriesInfo>> ListSeries(const std::filesystem::path& index);

}  // namespace harness
