// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/comparison_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Comparison Speed() {
  Comparison comparison;
  Verdict& verdict = comparison.verdict;
  verdict.kind = VerdictKind::kComparison;
  verdict.finding = Finding::kNoChange;
  verdict.scenario = "fa";
  verdict.variant = "on against off";
  verdict.stage = "decode";
  verdict.metric = "decode_tokens_per_s.p50";
  verdict.observed = 1.012;
  verdict.low = 0.995;
  verdict.high = 1.021;
  verdict.smallest_effect = 0.018;
  verdict.reason = "REASON";
  comparison.a = 109.0;
  comparison.b = 110.3;
  return comparison;
}

TEST(FormatComparisons, ShowsBothSidesTheIntervalAndWhatCouldBeSeen) {
  const std::vector<Comparison> comparisons{Speed()};
  const std::string text = FormatComparisons(comparisons);
  EXPECT_THAT(text, HasSubstr("fa on against off"));
  EXPECT_THAT(text, HasSubstr("109.0"));
  EXPECT_THAT(text, HasSubstr("+1.2 % [-0.5, +2.1]"));
  EXPECT_THAT(text, HasSubstr("1.8 %  no change\n"));
  EXPECT_THAT(text, Not(HasSubstr("REASON")));
  EXPECT_EQ(FormatComparisons({}), "");
}

TEST(FormatComparisons, SaysInWordsWhatTheRowDoesNot) {
  Comparison garbage;
  garbage.verdict = Speed().verdict;
  garbage.verdict.finding = Finding::kRegression;
  garbage.verdict.metric = "answers_degenerate";
  garbage.verdict.reason = "all garbage";
  std::vector<Comparison> comparisons{Speed(), garbage};
  comparisons[0].verdict.reason = "+40 %; no win: all garbage";
  const std::string text = FormatComparisons(comparisons);
  EXPECT_THAT(text, HasSubstr("decode_tokens_per_s.p50: +40 %; no win: all garbage"));
  EXPECT_THAT(text, HasSubstr("regression: fa on against off · decode: answers_degenerate"));
}

TEST(FormatComparisons, NamesThePointOfTheSweepOnce) {
  std::vector<Comparison> comparisons{Speed()};
  comparisons[0].verdict.variant = "depth=2048,on against depth=2048,off";
  EXPECT_THAT(FormatComparisons(comparisons), HasSubstr("fa depth=2048,on against off"));
  comparisons[0].verdict.variant = "";
  EXPECT_THAT(FormatComparisons(comparisons), HasSubstr("\nfa  "));
}

TEST(FormatComparisons, UnknownIntervalsAreNotShown) {
  std::vector<Comparison> comparisons{Speed()};
  comparisons[0].verdict.low = 0;
  comparisons[0].verdict.high = INFINITY;
  comparisons[0].verdict.smallest_effect = INFINITY;
  const std::string text = FormatComparisons(comparisons);
  EXPECT_THAT(text, HasSubstr("+1.2 %  "));
  EXPECT_THAT(text, Not(HasSubstr("inf")));
  EXPECT_FALSE(ComparisonJson(comparisons[0]).contains("high"));
}

}  // namespace
}  // namespace harness
