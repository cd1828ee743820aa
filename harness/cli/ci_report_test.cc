// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/ci_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace harness {
namespace {

using testing::HasSubstr;
using testing::Not;

Verdict Of(Finding finding, const std::string& scenario = "s", const std::string& reason = "why") {
  Verdict verdict;
  verdict.finding = finding;
  verdict.scenario = scenario;
  verdict.stage = "steady";
  verdict.metric = "ttft_ms.p99";
  verdict.op = "<=";
  verdict.limit = 500;
  verdict.reason = reason;
  return verdict;
}

TEST(JUnit, CountsAndKinds) {
  const std::string xml =
      JUnitXml("t", {Of(Finding::kPass), Of(Finding::kFail), Of(Finding::kRegression, "other"),
                     Of(Finding::kInvalid), Of(Finding::kNotJudged), Of(Finding::kInsufficientData),
                     Of(Finding::kWarning)});
  EXPECT_THAT(xml,
              HasSubstr(R"(<testsuites name="t" tests="7" failures="2" errors="1" skipped="2">)"));
  EXPECT_THAT(xml,
              HasSubstr(R"(<testsuite name="s" tests="6" failures="1" errors="1" skipped="2">)"));
  EXPECT_THAT(xml, HasSubstr(R"(classname="s" name="steady · ttft_ms.p99 &lt;= 500">)"));
  EXPECT_THAT(xml, HasSubstr(R"(<failure type="regression" message="why"/>)"));
  EXPECT_THAT(xml, HasSubstr(R"(<error type="invalid" message="why"/>)"));
  EXPECT_THAT(xml, HasSubstr(R"(<skipped message="insufficient_data: why"/>)"));
  EXPECT_THAT(xml, HasSubstr("<system-out>warning: why</system-out>"));
}

TEST(JUnit, ARunThatEndedEarlyIsAnError) {
  const std::string xml = JUnitXml("t", {}, "the server ended");
  EXPECT_THAT(xml, HasSubstr(R"(tests="1" failures="0" errors="1")"));
  EXPECT_THAT(xml, HasSubstr(R"(message="the server ended")"));
}

TEST(JUnit, OfARunHasItsComparisonsToo) {
  RunReport report;
  report.stages.emplace_back().verdicts = {Of(Finding::kPass)};
  report.comparisons.push_back({Of(Finding::kRegression, "ab"), 10, 12});
  const auto verdicts = VerdictsOf(report);
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[1].finding, Finding::kRegression);
  EXPECT_EQ(verdicts[1].scenario, "ab");
}

TEST(XmlText, NothingBreaksOut) {
  EXPECT_EQ(XmlText("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
  EXPECT_EQ(XmlText(std::string("a\0b\x1b[31m", 8)), "a b [31m");
  EXPECT_EQ(XmlText("\xff\xc3("), "\xEF\xBF\xBD\xEF\xBF\xBD(");
  EXPECT_EQ(XmlText("x\xEF\xBF\xBF"), "x?");
  EXPECT_LT(XmlText(std::string(1'000'000, 'w')).size(), 100'000U);
}

TEST(MarkdownText, NothingIsMarkup) {
  EXPECT_EQ(MarkdownText("a|b\n# c"), "a\\|b \\# c");
  EXPECT_EQ(MarkdownText("<script>"), "&lt;script\\>");
  EXPECT_EQ(MarkdownText("[x](y)`z`"), "\\[x\\]\\(y\\)\\`z\\`");
}

TEST(StepSummary, OfAGate) {
  GateReport report;
  report.lines.push_back({Of(Finding::kWarning, "evil|name"), 10, 12});
  report.lines[0].verdict.observed = 1.2;
  report.covariates = {"kernel: 6.1 → 6.2"};
  report.confirmations.push_back({"evil|name", "", "", {"rocm-bench", "run", "x.json"}, ""});
  const std::string text = StepSummary(report, "rocm-bench gate");
  EXPECT_THAT(
      text,
      HasSubstr("| evil\\|name | steady | ttft\\_ms.p99 | 10.00 | 12.00 | +20.0 % | warning |"));
  EXPECT_THAT(text, HasSubstr("- differs: kernel: 6.1 → 6.2"));
  EXPECT_THAT(text, HasSubstr("rocm-bench run x.json"));
}

TEST(StepSummary, CountsAreNoChangeInPercent) {
  for (const char* metric : {"answers_differing", "answers_degenerate", "requests_failed"}) {
    GateReport report;
    report.lines.push_back({Of(Finding::kRegression, "s"), 0, 0});
    report.lines[0].verdict.metric = metric;
    report.lines[0].verdict.observed = 2;
    EXPECT_THAT(StepSummary(report, "gate"), Not(HasSubstr(" %"))) << metric;
  }
}

TEST(StepSummary, OfARunHoldsNoPassedCheckInWords) {
  RunReport report;
  report.run_id = "20260101T020000Z-00000000";
  report.end.status = RunStatus::kInvalid;
  report.end.reasons = {"too coarse"};
  StageReport stage;
  stage.scenario = "s";
  stage.stage.name = "steady";
  stage.summary.requests = 5;
  stage.verdicts = {Of(Finding::kPass, "s", "fine"), Of(Finding::kFail, "s", "slow")};
  report.stages.push_back(stage);
  const std::string text = StepSummary(report);
  EXPECT_THAT(text, HasSubstr("## rocm-bench: invalid"));
  EXPECT_THAT(text, HasSubstr("> too coarse"));
  EXPECT_THAT(text, HasSubstr("| s  | steady | 5 | 0 |"));
  EXPECT_THAT(text, HasSubstr("**fail** s"));
  EXPECT_THAT(text, Not(HasSubstr("fine")));
  EXPECT_EQ(VerdictsOf(report).size(), 2U);
}

}  // namespace
}  // namespace harness
