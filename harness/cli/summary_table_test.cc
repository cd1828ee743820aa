// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/summary_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Workload Synthetic(int prompt, int depth, int output) {
  Workload workload;
  workload.prompt = SyntheticPrompt{FixedLength{prompt}, depth};
  workload.output_tokens = FixedLength{output};
  return workload;
}

TEST(LlamaBenchName, SaysWhatLlamaBenchWouldSay) {
  EXPECT_EQ(LlamaBenchName(Synthetic(512, 0, 1)), "pp512");
  EXPECT_EQ(LlamaBenchName(Synthetic(512, 8192, 1)), "pp512 @ d8192");
  EXPECT_EQ(LlamaBenchName(Synthetic(1, 2048, 128)), "tg128 @ d2048");
  EXPECT_EQ(LlamaBenchName(Synthetic(512, 0, 128)), "pp512+tg128");
  Workload text;
  text.prompt = TextPrompts{{"x"}};
  EXPECT_EQ(LlamaBenchName(text), "");
}

RunReport OneStage() {
  StageReport stage;
  stage.scenario = "tg";
  stage.stage.name = "decode";
  stage.workload = Synthetic(1, 0, 128);
  stage.summary.requests = 2;
  stage.summary.requests_ok = 2;
  const std::vector<double> rates{99.0, 101.0};
  stage.summary.distributions["decode_tokens_per_s"] = Describe(rates);
  Verdict verdict;
  verdict.finding = Finding::kFail;
  verdict.scenario = "tg";
  verdict.stage = "decode";
  verdict.reason = "too slow";
  stage.verdicts = {verdict};
  RunReport report;
  report.run_id = "r";
  report.file = "runs/r.jsonl";
  report.stages = {stage};
  return report;
}

TEST(FormatTable, ShowsRowsAndWhatFailed) {
  const std::string text = FormatTable(OneStage());
  EXPECT_THAT(text, HasSubstr("tg128"));
  EXPECT_THAT(text, HasSubstr("100.00 ± 1.41 t/s (n = 2)"));
  EXPECT_THAT(text, HasSubstr("fail: tg · decode: too slow"));
  EXPECT_THAT(text, HasSubstr("0 of 1 expectations hold"));
  EXPECT_THAT(text, HasSubstr("valid: runs/r.jsonl"));
}

TEST(FormatTable, SaysTheReasonOfAFailureOnce) {
  RunReport report;
  report.failure = rocm::Fail(rocm::ErrorCode::kServerExited, "it died").value();
  report.end.status = RunStatus::kPartial;
  report.end.reasons = {"it died", "and more"};
  const std::string text = FormatTable(report);
  EXPECT_THAT(text, Not(HasSubstr("it died")));
  EXPECT_THAT(text, HasSubstr("and more"));
  EXPECT_THAT(text, Not(HasSubstr("expectations hold")));
}

TEST(FormatJson, IsJson) {
  const auto json = nlohmann::json::parse(FormatJson(OneStage()));
  EXPECT_EQ(json["stages"][0]["verdicts"][0]["finding"], "fail");
  EXPECT_EQ(json["stages"][0]["metrics"]["decode_tokens_per_s"]["n"], 2);
}

}  // namespace
}  // namespace harness
