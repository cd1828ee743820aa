// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/run_context.h"
#include "harness/cli/stage_pass.h"
#include "harness/measure/stage_summary.h"
#include "harness/scenario/scenario.h"

namespace harness {

// What the rounds of one variant gave, stage by stage.
class VariantRounds {
 public:
  struct Gate {
    int round = 0;
    Verdict verdict;
    bool replaced = false;  // its round was set aside
  };
  // One recorded stage over the rounds.
  struct Entry {
    Stage stage;
    std::vector<StageSummary> summaries;  // one for each round
    std::vector<RequestRecord> records;
    std::vector<AnswerTally> answers;
    std::string degenerate_example;
    std::vector<Gate> gates;
    std::optional<Saturation> saturation;
  };

  // Takes the records. Stages that are not recorded, or were cut short before a request, leave
  // nothing.
  void Add(const Stage& stage, StageResult&& result);
  [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }

  // A gate that failed on a time: the round's measurement is invalid, and another may be better.
  // Counts that are wrong stay wrong, and so does a round with failed requests, here or on the
  // `other` side. Null where there is none.
  [[nodiscard]] const Gate* Spoilt(const VariantRounds* other = nullptr) const;
  // Leaves out of all that is judged a round that another has replaced. Its requests stay in the
  // run file and its answers are judged; its gates become warnings.
  void SetAside(int round, int replaced_by);

  // When the rounds are over: writes summaries and verdicts, and adds the stages to the report.
  // `facts` are those of a server of this variant: they say what is judged. `bound`, unless null,
  // is what the command line gave this variant alone, as part of what its trend is.
  void Conclude(RunContext& context, const Scenario& scenario, const std::string& variant,
                const TargetFacts& facts, const nlohmann::ordered_json& bound = nullptr);

 private:
  [[nodiscard]] bool HasFailures(int round) const;

  std::deque<Entry> entries_;
};

// Every stage of a round on this server, in order, into `kept`. False when nothing more is to be
// run: the report's failure, or the signal, says why.
[[nodiscard]] bool PassRound(RunContext& context, RunningServer& server, const Scenario& scenario,
                             const RunPlace& place, VariantRounds& kept);

}  // namespace harness
