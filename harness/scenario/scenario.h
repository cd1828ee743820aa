// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/config.h"
#include "harness/scenario/experiments.h"
#include "harness/scenario/stage.h"
#include "harness/scenario/workload.h"

namespace harness {

enum class ScenarioKind { kLoad, kAb, kFault };
[[nodiscard]] std::string_view ToString(ScenarioKind kind);

// A request is good when it met every limit that is set.
struct Slo {
  std::optional<double> ttft_ms;
  std::optional<double> tpot_ms;
  std::optional<double> e2e_ms;
  [[nodiscard]] bool empty() const { return !ttft_ms && !tpot_ms && !e2e_ms; }
};

enum class CompareOp { kEq, kNe, kLt, kLe, kGt, kGe };
[[nodiscard]] std::string_view ToString(CompareOp op);
[[nodiscard]] bool Holds(double left, CompareOp op, double right);

// Where an expectation is judged. kChain: where the model is known to be the chain model, which
// the mock speaks too.
enum class JudgedOn { kAnywhere, kHardware, kMock, kChain };
[[nodiscard]] std::string_view ToString(JudgedOn on);

// What the text of every answer must be. kChain: the chain model's one right answer, computed from
// the prompt.
enum class AnswerRule { kEquals, kContains, kMatches, kChain };
struct AnswerCheck {
  AnswerRule rule = AnswerRule::kEquals;
  std::string text;  // for kMatches an ECMAScript regular expression
};

// Exactly one of `metric` and `answer`.
struct Expectation {
  std::string stage;   // empty: every recorded stage
  std::string metric;  // "ttft_ms.p99", "requests_failed"
  CompareOp op = CompareOp::kEq;
  double value = 0;
  std::optional<AnswerCheck> answer;
  JudgedOn on = JudgedOn::kAnywhere;
};

// A scenario file after loading: complete, checked, with nothing left to default. A value.
struct Scenario {
  int schema = 1;
  std::string name;
  std::string why;
  ScenarioKind kind = ScenarioKind::kLoad;
  bool timing_judged = true;
  // The whole scenario is repeated; statistics go over rounds.
  int rounds = 1;
  bool restart_server = false;  // between rounds
  // Before each server but a scenario's first: a hot card clocks lower.
  std::chrono::milliseconds cool_down{0};
  // The answers of random weights are garbage by right.
  bool random_weights = false;
  ServerSettings server;
  Workload workload;
  std::vector<Stage> stages;
  std::vector<SweepAxis> sweep;  // every combination is a variant of its own
  Slo slo;
  std::vector<Expectation> expect;
  std::optional<AbPlan> ab;        // kind ab
  std::optional<FaultPlan> fault;  // kind fault
  std::string file;                // where it was loaded from; not part of its meaning
};

}  // namespace harness
