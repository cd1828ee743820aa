// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/error.h"
#include "harness/cli/exit_code.h"
#include "harness/measure/comparison.h"
#include "harness/measure/history.h"
#include "harness/measure/verdict.h"
#include "harness/record/baseline.h"

namespace harness {

// Is the candidate worse than the baseline? Values in, values out: no file is read or written here.
struct GateSides {
  Baseline baseline;
  std::vector<Baseline> candidates;  // one for each run, oldest first; at least one
  std::vector<Baseline> published;   // of this hardware and model: shown, never judged
  std::vector<std::string> metrics;
  ComparisonConfig config;
  // Of the history that a series has, without the candidates: by series key and metric.
  std::map<std::pair<std::string, std::string>, Fence> fences;
};

struct GateLine {
  Verdict verdict;
  // Means over server starts; 0 where there are none (answers, the lines of an A/B).
  double baseline = 0;
  double candidate = 0;
};

// How to find out whether a warning is true.
struct Confirmation {
  std::string scenario;
  // An A/B: a scenario file to write under `file_name`, of which `command` is run. Empty: the
  // candidate is to be run again.
  std::string file_text;
  std::string file_name;
  std::vector<std::string> command;  // argv; the file as file_name
  std::string note;                  // one line: why this, what is missing
};

struct GateReport {
  std::vector<GateLine> lines;
  std::vector<GateLine> published;
  std::vector<std::string> covariates;    // "server_build: b1 → b2", those that differ
  std::vector<std::string> not_compared;  // series without a partner, and why
  std::vector<Confirmation> confirmations;
  ExitCode exit = ExitCode::kPass;
};

// kInvalidArgument where nothing can be compared: another identity (each field is named), or no
// series in common. The exit code is 1 only for a confirmed regression; 4 where a run is not valid
// or the instrument's error is too large for a judged metric.
[[nodiscard]] rocm::Result<GateReport> JudgeGate(const GateSides& input);

// What a run that is not valid says of itself, for an error line; empty: it is valid.
[[nodiscard]] std::string WhyNotValid(const Baseline& run);

// Commands that confirm the warnings among `lines`, one for each scenario.
[[nodiscard]] std::vector<Confirmation> PlanConfirmations(const GateSides& input,
                                                          const std::vector<GateLine>& lines);

// For a shell: quoted where it must be.
[[nodiscard]] std::string ShellLine(const std::vector<std::string>& words);

}  // namespace harness
