// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <vector>

#include "harness/cli/run_report.h"
#include "harness/cli/variant_rounds.h"
#include "harness/measure/calibration.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Rounds that a comparison should have before its confirmation.
inline constexpr int kRuleRounds = 10;

// Both sides of a comparison, for one value of the sweep.
struct AbInput {
  const Scenario* scenario = nullptr;  // of the baseline; its plan and workload are both sides'
  const VariantRounds* a = nullptr;    // the baseline
  const VariantRounds* b = nullptr;
  std::string name_a;    // "off"
  std::string name_b;    // "on"
  std::string variant;   // of the verdicts: "depth=2048,on against depth=2048,off"
  int rounds = 0;        // asked for
  int confirm_from = 0;  // the first round that confirms
  const Calibration* calibration = nullptr;
  bool random_weights = false;
};

// After the first rounds: whether fresh ones are needed to say anything of some metric.
[[nodiscard]] bool NeedsConfirmation(const AbInput& input);

// Every verdict of the comparison: each metric of each stage that was recorded, with Holm's
// correction over all of them, then what the answers say.
[[nodiscard]] std::vector<Comparison> JudgeAb(const AbInput& input);

}  // namespace harness
