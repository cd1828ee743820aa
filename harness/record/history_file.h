// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/error.h"
#include "harness/measure/history.h"
#include "harness/measure/verdict.h"

namespace harness {

// All trends of a folder of runs, judged. The input of the table, of `--json` and of the dashboard.

// A covariate that differs from the valid run before it with the same identity.
struct CovariateChange {
  std::string name;
  std::string before;  // empty: it was not there
  std::string after;
};

struct HistoryRun {
  std::string run_id;
  std::string file;  // name within the folder
  std::string started_at;
  std::string status;   // valid, partial, invalid, running, damaged, unsupported
  std::string reasons;  // JSON array of texts
  std::string target;
  std::string suite;
  std::int64_t exit_code = -1;  // -1: no end
  std::int64_t requests = -1;
  std::string identity;  // IdentityKey()
  std::vector<std::pair<std::string, std::string>> covariates;
  std::vector<CovariateChange> changed;
};

struct HistoryIdentity {
  std::string key;
  std::string json;  // as in the fingerprint
};

struct HistorySeries {
  std::string series;  // of the summaries, see SeriesKey()
  std::string scenario;
  std::string variant;
  std::string stage;
  std::string metric;  // "ttft_ms.p50"
  std::string identity;
  bool judged = true;             // false: its times carry no verdict, and so it has none
  std::vector<std::size_t> runs;  // into History::runs, oldest first; valid ones only
  std::vector<double> values;
  std::vector<std::optional<double>> low;  // 95 % interval of each value
  std::vector<std::optional<double>> high;
  std::vector<std::int64_t> n;
  SeriesJudgement judgement;
};

struct History {
  std::vector<HistoryRun> runs;  // oldest first, all of them
  std::vector<HistoryIdentity> identities;
  std::vector<HistorySeries> series;  // by scenario, variant, stage, metric
};

struct HistoryQuery {
  // Glob (* and ?) or part of "scenario variant stage metric"; or a series key. Empty: all.
  std::string pattern;
  std::vector<std::string> metrics;  // empty: DefaultHistoryMetrics()
  ChangePointConfig change_points;
};

// What is followed from night to night unless asked otherwise: the medians of the time to the first
// token, of decode and prefill rates, the throughput, and what a load takes of the cards.
[[nodiscard]] const std::vector<std::string>& DefaultHistoryMetrics();

// From an index that UpdateIndex() brought up to date.
[[nodiscard]] rocm::Result<History> LoadHistory(const std::filesystem::path& index,
                                                const HistoryQuery& query = {});

// JSON lines as docs/results-format.md describes them under "History".
[[nodiscard]] std::string HistoryLines(const History& history, const HistoryQuery& query,
                                       std::string_view results, std::string_view tool_version);

// "tok/s", "ms", "" …: of a statistic's value.
[[nodiscard]] std::string_view UnitOf(std::string_view metric);

// True when the text contains the pattern, or matches it as a glob. Empty matches all.
[[nodiscard]] bool MatchesPattern(std::string_view text, std::string_view pattern);

}  // namespace harness
