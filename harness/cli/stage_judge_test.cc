// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/stage_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace harness {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;

RequestRecord Record(std::int64_t index, int tokens) {
  RequestRecord record;
  record.scenario = "n";
  record.stage = "s";
  record.index = index;
  record.outcome = "ok";
  record.tokens = tokens;
  record.token_source = "ids";
  record.scheduled_ns = record.sent_ns = (index + 1) * 100 * kMs;
  record.first_byte_ns = record.sent_ns + 1 * kMs;
  record.first_token_ns = record.sent_ns + 10 * kMs;
  record.last_token_ns = record.sent_ns + 50 * kMs;
  record.finished_ns = record.sent_ns + 51 * kMs;
  return record;
}

Scenario Base() {
  Scenario scenario;
  scenario.name = "n";
  scenario.workload.output_tokens = FixedLength{5};
  Stage stage;
  stage.name = "s";
  stage.requests = 3;
  scenario.stages = {stage};
  return scenario;
}

StageRecords Three() {
  StageRecords records;
  for (int i = 0; i < 3; ++i) records.records.push_back(Record(i, 5));
  return records;
}

Expectation Metric(std::string metric, CompareOp op, double value, JudgedOn on) {
  Expectation expectation;
  expectation.metric = std::move(metric);
  expectation.op = op;
  expectation.value = value;
  expectation.on = on;
  return expectation;
}

const Verdict* Find(const std::vector<Verdict>& verdicts, std::string_view metric) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.metric == metric) return &verdict;
  }
  return nullptr;
}

TEST(JudgedHere, DependsOnTheTarget) {
  TargetFacts mock, real, attached;
  mock.kind = TargetKind::kMock;
  mock.chain = true;
  real.kind = TargetKind::kLlamaServer;
  attached.kind = TargetKind::kAttached;
  EXPECT_TRUE(JudgedHere(JudgedOn::kAnywhere, attached));
  EXPECT_FALSE(JudgedHere(JudgedOn::kHardware, mock));
  EXPECT_TRUE(JudgedHere(JudgedOn::kHardware, real));
  EXPECT_TRUE(JudgedHere(JudgedOn::kMock, mock));
  EXPECT_FALSE(JudgedHere(JudgedOn::kMock, real));
  EXPECT_TRUE(JudgedHere(JudgedOn::kChain, mock));
  EXPECT_FALSE(JudgedHere(JudgedOn::kChain, real));
}

TEST(SummariseStage, MismatchesMakeTheStageInvalid) {
  StageRecords records = Three();
  records.output_length_mismatches = 1;
  const Scenario scenario = Base();
  const JudgedStage judged = SummariseStage({}, scenario, scenario.stages[0], records, {});
  EXPECT_EQ(judged.summary.requests, 3);
  EXPECT_EQ(Find(judged.gates, "prompt_length_mismatches")->finding, Finding::kPass);
  bool invalid = false;
  for (const Verdict& gate : judged.gates) {
    invalid = invalid || (gate.metric == "length_mismatches" && gate.finding == Finding::kInvalid);
  }
  EXPECT_TRUE(invalid);
}

TEST(SummariseStage, ABusyLoadThreadMattersOnlyWhereTimesAreJudged) {
  StageOutcome outcome;
  outcome.busiest = 0.99;
  Scenario scenario = Base();
  auto gates = SummariseStage({}, scenario, scenario.stages[0], Three(), outcome).gates;
  EXPECT_EQ(Find(gates, "client_cpu_share")->finding, Finding::kWarning);
  scenario.expect = {Metric("ttft_ms.p50", CompareOp::kLe, 100, JudgedOn::kAnywhere)};
  gates = SummariseStage({}, scenario, scenario.stages[0], Three(), outcome).gates;
  EXPECT_EQ(Find(gates, "client_cpu_share")->finding, Finding::kInvalid);
}

TEST(SummariseStage, WithoutARequestNothingWasMeasured) {
  const Scenario scenario = Base();
  const JudgedStage judged =
      SummariseStage({.scenario = "n", .variant = "v", .round = 2, .stage = "s"}, scenario,
                     scenario.stages[0], {}, {});
  const Verdict* gate = Find(judged.gates, "stages_without_requests");
  ASSERT_NE(gate, nullptr);
  EXPECT_EQ(gate->finding, Finding::kInvalid);
  EXPECT_EQ(gate->variant, "v");
  EXPECT_EQ(judged.summary.round, 2);
}

// Three requests at ten a second are over long before the stage's minute is.
TEST(SummariseStage, TheWindowEndsWithTheArrivals) {
  Scenario scenario = Base();
  Stage& stage = scenario.stages[0];
  OpenLoop load;
  load.rate_per_s = 10;
  stage.load = load;
  stage.duration = std::chrono::seconds(60);
  StageOutcome outcome;
  outcome.begin_ns = 100 * kMs;
  outcome.last_start_ns = 300 * kMs;
  outcome.started = 3;
  const auto offered = [&] {
    return SummariseStage({}, scenario, stage, Three(), outcome)
        .summary.values.at("offered_requests_per_s");
  };
  EXPECT_DOUBLE_EQ(offered(), 10);
  stage.requests.reset();
  EXPECT_DOUBLE_EQ(offered(), 3 / 60.0);
  load.trace.resize(3);
  stage.load = load;
  EXPECT_DOUBLE_EQ(offered(), 10);
}

TEST(JudgeExpectations, OfThisStageAndThisTarget) {
  Scenario scenario = Base();
  scenario.expect = {Metric("ttft_ms.p50", CompareOp::kLe, 20, JudgedOn::kAnywhere),
                     Metric("ttft_ms.p50", CompareOp::kLe, 5, JudgedOn::kAnywhere),
                     Metric("ttft_ms.p50", CompareOp::kLe, 5, JudgedOn::kHardware),
                     Metric("requests", CompareOp::kEq, 3, JudgedOn::kAnywhere)};
  scenario.expect.back().stage = "another";
  TargetFacts mock;
  mock.kind = TargetKind::kMock;
  const auto judged = SummariseStage({}, scenario, scenario.stages[0], Three(), {});
  const auto verdicts =
      JudgeExpectations(scenario, scenario.stages[0], judged.summary, {}, mock, nullptr);
  ASSERT_EQ(verdicts.size(), 3u);
  EXPECT_EQ(verdicts[0].finding, Finding::kPass);
  EXPECT_EQ(verdicts[1].finding, Finding::kFail);
  EXPECT_EQ(verdicts[2].finding, Finding::kNotJudged);
}

TEST(JudgeExpectations, AnErrorBoundThatIsTooLargeIsInvalid) {
  Scenario scenario = Base();
  scenario.expect = {Metric("ttft_ms.p50", CompareOp::kLe, 20, JudgedOn::kAnywhere)};
  const auto judged = SummariseStage({}, scenario, scenario.stages[0], Three(), {});
  Calibration calibration;
  CalibrationPoint point;
  point.concurrency = 64;
  const std::vector<double> errors(1'000, 3.0);  // ms, against a TTFT of 10 ms
  point.ttft_error_ms = point.chunk_error_ms = Describe(errors);
  point.chunks = point.requests = 1'000;
  calibration.points = {point};
  const auto verdicts =
      JudgeExpectations(scenario, scenario.stages[0], judged.summary, {}, {}, &calibration);
  EXPECT_EQ(verdicts[0].finding, Finding::kInvalid);
}

TEST(JudgeExpectations, AnswersKeepTheirPlacesAmongOthers) {
  Scenario scenario = Base();
  Expectation chain;
  chain.answer = AnswerCheck{AnswerRule::kChain, ""};
  chain.on = JudgedOn::kChain;
  Expectation contains;
  contains.answer = AnswerCheck{AnswerRule::kContains, "x"};
  scenario.expect = {chain, Metric("requests", CompareOp::kEq, 3, JudgedOn::kAnywhere), contains};
  TargetFacts plain;
  plain.kind = TargetKind::kLlamaServer;
  // The chain is not spoken here, so that the only tally is the other check's.
  ASSERT_EQ(MakeCheckers(scenario, scenario.stages[0], plain).size(), 1u);
  const std::vector<AnswerTally> tallies{{3, 2, "request 1: …"}};
  const auto judged = SummariseStage({}, scenario, scenario.stages[0], Three(), {});
  const auto verdicts =
      JudgeExpectations(scenario, scenario.stages[0], judged.summary, tallies, plain, nullptr);
  ASSERT_EQ(verdicts.size(), 3u);
  EXPECT_EQ(verdicts[0].finding, Finding::kNotJudged);
  EXPECT_EQ(verdicts[1].finding, Finding::kPass);
  EXPECT_EQ(verdicts[2].finding, Finding::kFail);
  EXPECT_THAT(verdicts[2].reason, HasSubstr("2 of 3 answers are wrong"));
}

TEST(JudgeExpectations, NoAnswerAtAllIsNoRightAnswer) {
  Scenario scenario = Base();
  Expectation chain;
  chain.answer = AnswerCheck{AnswerRule::kChain, ""};
  scenario.expect = {chain};
  const std::vector<AnswerTally> tallies{{0, 0, ""}};
  const auto verdicts =
      JudgeExpectations(scenario, scenario.stages[0], StageSummary{}, tallies, {}, nullptr);
  EXPECT_EQ(verdicts[0].finding, Finding::kFail);
}

}  // namespace
}  // namespace harness
