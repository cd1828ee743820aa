// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/ab_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "harness/measure/distribution.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

// One round of the stage "s" whose decode rate was `rate`.
StageResult Round(int round, double rate, const std::string& text = "x") {
  StageResult result;
  result.judged.emplace();
  StageSummary& summary = result.judged->summary;
  summary.stage = "s";
  summary.round = round;
  summary.requests = summary.requests_ok = 1;
  const std::vector<double> rates{rate};
  summary.distributions["decode_tokens_per_s"] = Describe(rates);
  RequestRecord record;
  record.stage = "s";
  record.round = round;
  record.outcome = "ok";
  record.text_sha256 = text;
  result.records.records = {record};
  return result;
}

Verdict FailedGate(std::string metric) {
  Verdict gate;
  gate.kind = VerdictKind::kGate;
  gate.metric = std::move(metric);
  gate.finding = Finding::kInvalid;
  return gate;
}

class AbJudge : public ::testing::Test {
 protected:
  AbJudge() {
    stage_.name = "s";
    scenario_.name = "pair";
    scenario_.ab = AbPlan{};
    scenario_.ab->metrics = {"decode_tokens_per_s.p50"};
    input_.scenario = &scenario_;
    input_.a = &a_;
    input_.b = &b_;
    input_.name_a = "off";
    input_.name_b = "on";
    input_.variant = "on against off";
    input_.rounds = input_.confirm_from = 10;
  }
  // Rounds [from, to) in which b is `ratio` times as fast, give or take what alternates.
  void Add(int from, int to, double ratio, double noise = 0.01) {
    for (int round = from; round < to; ++round) {
      const double mood = round % 3 == 0 ? 1.05 : 0.98;
      const double wobble = 1 + noise * (round % 2 == 0 ? 1 : -1);
      a_.Add(stage_, Round(round, 100 * mood));
      b_.Add(stage_, Round(round, 100 * mood * ratio * wobble));
    }
  }
  Comparison Speed() const { return JudgeAb(input_).front(); }

  Stage stage_;
  Scenario scenario_;
  VariantRounds a_;
  VariantRounds b_;
  AbInput input_;
};

TEST_F(AbJudge, AnEffectIsConfirmedByFreshRoundsOnly) {
  Add(0, 10, 1.1);
  EXPECT_TRUE(NeedsConfirmation(input_));
  EXPECT_EQ(Speed().verdict.finding, Finding::kInsufficientData);
  Add(10, 20, 1.1);
  const Comparison speed = Speed();
  EXPECT_EQ(speed.verdict.finding, Finding::kImprovement);
  EXPECT_EQ(speed.verdict.n, 20);
  EXPECT_EQ(speed.verdict.stage, "s");
  EXPECT_EQ(speed.verdict.variant, "on against off");
  EXPECT_NEAR(*speed.b / *speed.a, 1.1, 0.03);
}

TEST_F(AbJudge, WhatIsCertainlySmallNeedsNoMoreRounds) {
  Add(0, 10, 1.01, 0.001);
  EXPECT_FALSE(NeedsConfirmation(input_));
  EXPECT_EQ(Speed().verdict.finding, Finding::kNoChange);
}

TEST_F(AbJudge, UnjudgedTimesAreShownAndNothingMore) {
  scenario_.timing_judged = false;
  Add(0, 10, 1.3);
  EXPECT_FALSE(NeedsConfirmation(input_));
  const Comparison speed = Speed();
  EXPECT_EQ(speed.verdict.finding, Finding::kNotJudged);
  EXPECT_GT(*speed.verdict.observed, 1.2);
  EXPECT_THAT(speed.verdict.reason, HasSubstr("not judged"));
}

TEST_F(AbJudge, AMetricWithoutSamplesIsNoPass) {
  scenario_.ab->metrics = {"decode_tokens_per_s.p50", "no_such_ms.p50"};
  Add(0, 10, 1);
  const auto comparisons = JudgeAb(input_);
  EXPECT_EQ(comparisons[1].verdict.finding, Finding::kFail);
  EXPECT_THAT(comparisons[1].verdict.reason, HasSubstr("no round gave no_such_ms.p50"));
  EXPECT_FALSE(comparisons[1].a.has_value());
}

// Half of the rounds of b came to nothing: the others, all alike, must not speak for them.
TEST_F(AbJudge, RoundsInWhichOneSideCameToNothingFail) {
  for (int round = 0; round < 10; ++round) {
    a_.Add(stage_, Round(round, 100));
    b_.Add(stage_, Round(round, round % 2 == 0 ? 100 : 0));
  }
  const Verdict verdict = Speed().verdict;
  EXPECT_EQ(verdict.finding, Finding::kFail);
  EXPECT_THAT(verdict.reason, HasSubstr("in 5 more rounds on alone came to nothing"));
}

TEST_F(AbJudge, WhatALoadTookBelongsToTheStageAfterIt) {
  Add(0, 10, 1.0);
  scenario_.ab->metrics = {"vram_of_load_bytes"};
  EXPECT_EQ(Speed().verdict.finding, Finding::kFail) << "nobody knows it";
  Stage first = stage_;
  first.name = "after the load";
  for (int round = 0; round < 10; ++round) {
    for (VariantRounds* side : {&a_, &b_}) {
      StageResult loaded = Round(round, 100);
      loaded.judged->summary.values["vram_of_load_bytes"] = 1e9;
      side->Add(first, std::move(loaded));
    }
  }
  const auto comparisons = JudgeAb(input_);
  EXPECT_EQ(comparisons[0].verdict.stage, "after the load");
  EXPECT_EQ(comparisons[0].verdict.finding, Finding::kNoChange);
  EXPECT_EQ(comparisons[1].verdict.finding, Finding::kNotJudged);
}

TEST_F(AbJudge, ARoundWithFailuresIsNeverSetAside) {
  StageResult stalled = Round(0, 20);
  const Verdict gate = FailedGate("schedule_lag_ms.p99");
  stalled.judged->gates = {gate};
  stalled.judged->summary.requests_failed = 1;
  b_.Add(stage_, std::move(stalled));
  EXPECT_EQ(b_.Spoilt(), nullptr);
  // Nor where the other side has them.
  StageResult failing = Round(1, 100);
  failing.judged->summary.requests_failed = 1;
  a_.Add(stage_, std::move(failing));
  stalled = Round(1, 20);
  stalled.judged->gates = {gate};
  b_.Add(stage_, std::move(stalled));
  EXPECT_NE(b_.Spoilt(), nullptr);
  EXPECT_EQ(b_.Spoilt(&a_), nullptr);
}

TEST_F(AbJudge, TooLargeAnInstrumentErrorIsInvalid) {
  scenario_.ab->metrics = {"e2e_ms.p50"};
  for (int round = 0; round < 10; ++round) {
    for (VariantRounds* side : {&a_, &b_}) {
      StageResult result = Round(round, 1);
      const std::vector<double> times{100.0 + round};
      result.judged->summary.distributions["e2e_ms"] = Describe(times);
      result.judged->summary.counts["concurrency_max"] = 1;
      side->Add(stage_, std::move(result));
    }
  }
  Calibration calibration;
  CalibrationPoint point;
  point.concurrency = 1;
  point.chunk_error_ms = Describe(std::vector<double>(1'000, 1.0));
  calibration.points = {point};
  input_.calibration = &calibration;
  EXPECT_EQ(Speed().verdict.finding, Finding::kNoChange);
  EXPECT_EQ(Speed().verdict.error_bound, 1.0);
  calibration.points[0].chunk_error_ms = Describe(std::vector<double>(1'000, 5.0));
  EXPECT_EQ(Speed().verdict.finding, Finding::kInvalid);
  EXPECT_THAT(Speed().verdict.reason, HasSubstr("the instrument's error, up to 5.0 %"));
}

TEST_F(AbJudge, RoundsThatWereNotMeasuredOnBothSidesCompareNothing) {
  Add(0, 10, 1.0);
  a_.Add(stage_, Round(10, 1));
  EXPECT_EQ(Speed().verdict.n, 10);
}

TEST_F(AbJudge, ASpoiltRoundCountsUntilAnotherReplacedIt) {
  Add(0, 9, 1.0, 0.001);
  StageResult stalled = Round(9, 20);
  Verdict gate = FailedGate("cached_requests");
  stalled.judged->gates = {gate};
  a_.Add(stage_, Round(9, 100));
  b_.Add(stage_, std::move(stalled));
  EXPECT_EQ(b_.Spoilt(), nullptr) << "a count does not get better by counting again";
  EXPECT_NE(Speed().verdict.finding, Finding::kNoChange);

  stalled = Round(10, 20);
  gate.metric = "clock_residual_share";
  stalled.judged->gates = {gate};
  a_.SetAside(9, 10);
  b_.SetAside(9, 10);
  a_.Add(stage_, Round(10, 100));
  b_.Add(stage_, std::move(stalled));
  ASSERT_NE(b_.Spoilt(), nullptr);
  EXPECT_EQ(b_.Spoilt()->round, 10);
  a_.Add(stage_, Round(11, 100));
  b_.Add(stage_, Round(11, 100));
  for (VariantRounds* side : {&a_, &b_}) side->SetAside(10, 11);
  EXPECT_EQ(b_.Spoilt(), nullptr);
  input_.confirm_from = 12;
  EXPECT_EQ(Speed().verdict.finding, Finding::kNoChange);
  EXPECT_EQ(Speed().verdict.n, 10);
  const VariantRounds::Entry& entry = b_.entries().front();
  EXPECT_EQ(entry.gates.front().verdict.finding, Finding::kInvalid) << "of the count, still";
  EXPECT_EQ(entry.gates.back().verdict.finding, Finding::kWarning);
  EXPECT_THAT(entry.gates.back().verdict.reason, HasSubstr("measured again as round 11"));
}

TEST_F(AbJudge, TextsAreComparedRoundByRound) {
  Add(0, 9, 1.0);
  a_.Add(stage_, Round(9, 100, "one"));
  b_.Add(stage_, Round(9, 100, "other"));
  for (const Comparison& comparison : JudgeAb(input_)) {
    if (comparison.verdict.metric != "answers_differing") continue;
    EXPECT_EQ(comparison.verdict.observed, 1);
    EXPECT_EQ(comparison.verdict.n, 10);
    EXPECT_THAT(comparison.verdict.reason, HasSubstr("of on are not those of off"));
  }
}

}  // namespace
}  // namespace harness
