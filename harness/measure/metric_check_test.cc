// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/metric_check.h"

#include <gtest/gtest.h>

#include <vector>

namespace harness {
namespace {

StageSummary ExampleSummary() {
  StageSummary summary;
  summary.stage = "steady";
  summary.requests = 4;
  summary.requests_ok = 3;
  summary.requests_failed = 1;
  summary.outcomes = {{"ok", 3}, {"connection_reset", 1}};
  summary.token_sources = {{"ids", 3}};
  summary.distributions["ttft_ms"] = Describe(std::vector<double>{10, 20, 30});
  summary.distributions["tpot_ms"] = Describe(std::vector<double>{2, 3, 4});
  summary.values["throughput_tokens_per_s"] = 99.5;
  summary.counts["length_mismatches"] = 2;
  return summary;
}

double Value(std::string_view path) { return FindStatistic(ExampleSummary(), path).value().value; }

TEST(FindStatistic, Paths) {
  EXPECT_EQ(Value("ttft_ms.p50"), 20);
  EXPECT_EQ(Value("ttft_ms"), 20);
  EXPECT_EQ(Value("ttft_ms.p99"), 30);
  EXPECT_EQ(Value("ttft_ms.mean"), 20);
  EXPECT_EQ(Value("ttft_ms.sd"), 10);
  EXPECT_EQ(Value("ttft_ms.min"), 10);
  EXPECT_EQ(Value("ttft_ms.max"), 30);
  EXPECT_EQ(Value("ttft_ms.n"), 3);
  EXPECT_EQ(Value("itl_ms.p50"), 3);
  EXPECT_EQ(Value("throughput_tokens_per_s"), 99.5);
  EXPECT_EQ(Value("length_mismatches"), 2);
  EXPECT_EQ(Value("requests"), 4);
  EXPECT_EQ(Value("requests_ok"), 3);
  EXPECT_EQ(Value("requests_failed"), 1);
  EXPECT_EQ(Value("outcomes.connection_reset"), 1);
  EXPECT_EQ(Value("outcomes.stalled"), 0);
  EXPECT_EQ(Value("token_sources.ids"), 3);
  for (const auto* path : {"nothing", "ttft_ms.p42", "requests.p50", "", "ttft_ms.p50.x"}) {
    EXPECT_FALSE(FindStatistic(ExampleSummary(), path)) << path;
  }
  EXPECT_FALSE(FindStatistic(ExampleSummary(), "ttft_ms.p99")->supported);
}

TEST(Judge, EveryOperator) {
  const struct {
    const char* op;
    double value;
    bool holds;
  } cases[] = {{"==", 20, true}, {"==", 21, false}, {"!=", 21, true}, {"!=", 20, false},
               {"<", 21, true},  {"<", 20, false},  {"<=", 20, true}, {"<=", 19, false},
               {">", 19, true},  {">", 20, false},  {">=", 20, true}, {">=", 21, false}};
  for (const auto& c : cases) {
    const Verdict v = Judge({"ttft_ms.p50", c.op, c.value}, ExampleSummary(), std::nullopt);
    EXPECT_EQ(v.finding, c.holds ? Finding::kPass : Finding::kFail) << c.op << c.value;
    EXPECT_EQ(v.observed, 20);
    EXPECT_EQ(v.limit, c.value);
  }
}

TEST(Judge, NothingPassesByHavingNoSamples) {
  const Verdict v = Judge({"e2e_ms.p50", "<=", 1e9}, ExampleSummary(), std::nullopt);
  EXPECT_EQ(v.finding, Finding::kFail);
  EXPECT_NE(v.reason.find("3 of 4 requests ok"), std::string::npos);
}

TEST(Judge, TheInstrumentsErrorInvalidates) {
  EXPECT_EQ(Judge({"ttft_ms.p50", "<=", 30}, ExampleSummary(), 0.4).finding, Finding::kPass);
  EXPECT_EQ(Judge({"ttft_ms.p50", "<=", 30}, ExampleSummary(), 0.41).finding, Finding::kInvalid);
  // Neither is it judged the other way: a limit that is missed by a bad instrument is no failure.
  EXPECT_EQ(Judge({"ttft_ms.p50", "<=", 1}, ExampleSummary(), 5.0).finding, Finding::kInvalid);
}

TEST(Judge, NotMeantForThisTarget) {
  MetricCheck check{"ttft_ms.p50", "<=", 1};
  check.judged = false;
  const Verdict v = Judge(check, ExampleSummary(), 5.0);
  EXPECT_EQ(v.finding, Finding::kNotJudged);
  EXPECT_EQ(v.observed, 20);
}

TEST(Judge, UnjudgedTimingStillJudgesCounts) {
  MetricCheck check{"ttft_ms.p50", "<=", 1};
  check.timing_judged = false;
  EXPECT_EQ(Judge(check, ExampleSummary(), std::nullopt).finding, Finding::kNotJudged);
  check.metric = "requests_failed";
  EXPECT_EQ(Judge(check, ExampleSummary(), std::nullopt).finding, Finding::kPass);
  check.metric = "ttft_ms.n";
  check.op = "==";
  check.value = 3;
  EXPECT_EQ(Judge(check, ExampleSummary(), std::nullopt).finding, Finding::kPass);
}

TEST(Judge, SaysWhenAPercentileIsNotCarried) {
  const Verdict v = Judge({"ttft_ms.p99", "<=", 500}, ExampleSummary(), std::nullopt);
  EXPECT_EQ(v.finding, Finding::kPass);
  EXPECT_NE(v.reason.find("3 samples do not carry"), std::string::npos);
}

}  // namespace
}  // namespace harness
