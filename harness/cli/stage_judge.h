// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/cli/recorder.h"
#include "harness/cli/run_log.h"
#include "harness/load/stage_runner.h"
#include "harness/measure/calibration.h"
#include "harness/measure/gates.h"
#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"
#include "harness/scenario/scenario.h"
#include "harness/target/target.h"

namespace harness {

// Everything there is to say about one stage of one round. All of it follows from the arguments.
struct JudgedStage {
  StageSummary summary;
  std::vector<Verdict> gates;
  std::optional<Saturation> saturation;  // open loop
};
[[nodiscard]] JudgedStage SummariseStage(const RunPlace& place, const Scenario& scenario,
                                         const Stage& stage, const StageRecords& records,
                                         const StageOutcome& outcome);

// The scenario's expectations of this stage, on its summary: of one round, or of all.
[[nodiscard]] std::vector<Verdict> JudgeExpectations(const Scenario& scenario, const Stage& stage,
                                                     const StageSummary& summary,
                                                     std::span<const AnswerTally> answers,
                                                     const TargetFacts& target,
                                                     const Calibration* calibration);

// When answers are garbage on their face: a failure where the scenario's own words were asked, a
// warning where the prompts mean nothing either, not judged on random weights. nullopt: none are.
[[nodiscard]] std::optional<Verdict> JudgeDegeneration(const Scenario& scenario,
                                                       const StageSummary& summary,
                                                       const std::string& example,
                                                       const TargetFacts& target);

// Whether an expectation that names `on` is judged on this target.
[[nodiscard]] bool JudgedHere(JudgedOn on, const TargetFacts& target);

// The checks of the expectations with an answer, in their order, as AnswerTally numbers them.
[[nodiscard]] std::vector<AnswerChecker> MakeCheckers(const Scenario& scenario, const Stage& stage,
                                                      const TargetFacts& target);

}  // namespace harness
