// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "backend/error.h"
#include "harness/cli/run_report.h"
#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"

namespace harness {

// What a comparison needs of a run that is over.
struct FinishedRun {
  // Scenario, variant.
  using Key = std::tuple<std::string, std::string>;

  std::filesystem::path file;
  nlohmann::json header;
  std::string state;                                   // "valid", "partial", "invalid"
  std::map<Key, std::vector<StageSummary>> summaries;  // of single rounds
  std::map<Key, std::vector<RequestRecord>> records;   // without chunks
  std::set<std::string> unjudged;                      // scenarios whose times are not judged
};
[[nodiscard]] rocm::Result<FinishedRun> ReadFinishedRun(const std::filesystem::path& file);

struct CompareOptions {
  std::vector<std::string> metrics;  // statistic paths
  double margin = 0.03;
};

// Everything that both runs measured under the same names. Rounds are paired in their order. The
// runs were not interleaved, so that drift between them looks like an effect: a suspect effect is a
// warning that asks for an A/B, never a regression; garbage and failures of the second run are.
[[nodiscard]] std::vector<Comparison> CompareRuns(const FinishedRun& a, const FinishedRun& b,
                                                  const CompareOptions& options);

// What is not the same about where and with what they were made, one line each: the suspects.
[[nodiscard]] std::vector<std::string> DescribeDifferences(const FinishedRun& a,
                                                           const FinishedRun& b);

}  // namespace harness
