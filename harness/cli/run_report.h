// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/error.h"
#include "harness/measure/gates.h"
#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"
#include "harness/record/run_lines.h"
#include "harness/scenario/scenario.h"

namespace harness {

// A recorded stage of one variant, over all of its rounds.
struct StageReport {
  std::string scenario;
  std::string variant;
  Stage stage;
  Workload workload;
  bool timing_judged = true;
  StageSummary summary;
  std::map<std::string, double> error_bounds;
  std::optional<Saturation> saturation;
  std::vector<Verdict> verdicts;
};

// One verdict of a comparison, with the medians over its rounds that it rests on; verdicts on
// answers have none.
struct Comparison {
  Verdict verdict;
  std::optional<double> a;  // the baseline
  std::optional<double> b;
};

struct RunReport {
  std::string run_id;
  std::filesystem::path file;
  RunEnd end;
  std::optional<rocm::Error> failure;  // of the server, not of requests
  std::vector<StageReport> stages;
  std::vector<Comparison> comparisons;
};

// How a run ended, from all that was reported: the exit code, and in one line each why it is not
// valid. `lost` is the first thing that the run file did not take.
[[nodiscard]] RunEnd JudgeRun(const RunReport& report, const std::optional<rocm::Error>& lost,
                              bool interrupted);

}  // namespace harness
