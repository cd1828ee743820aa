// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/answer_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

namespace harness {
namespace {

using ::testing::HasSubstr;

RequestRecord Answer(std::int64_t index, std::vector<std::int32_t> ids, int round = 0) {
  RequestRecord record;
  record.stage = "s";
  record.round = round;
  record.index = index;
  record.outcome = "ok";
  record.tokens = static_cast<int>(ids.size());
  for (const std::int32_t id : ids) record.text_sha256 += std::to_string(id) + ",";
  record.ids = std::move(ids);
  return record;
}

std::vector<RequestRecord> Good(int n) {
  std::vector<RequestRecord> records;
  for (int i = 0; i < n; ++i) records.push_back(Answer(i, {i, i + 1, i + 2, i + 3}));
  return records;
}

Verdict Of(const std::vector<Verdict>& verdicts, const std::string& metric) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.metric == metric) return verdict;
  }
  return {};
}

TEST(CompareAnswers, EqualOnesAreEqualInAnyOrder) {
  auto a = Good(5);
  auto b = Good(5);
  std::swap(b[0], b[4]);
  const AnswerComparison c = CompareAnswers(a, b);
  EXPECT_EQ(c.compared, 5);
  EXPECT_EQ(c.answered, 5);
  EXPECT_EQ(c.differing, 0);
  for (const Verdict& verdict : JudgeAnswers(c, {})) {
    EXPECT_EQ(verdict.finding, Finding::kNoChange) << verdict.reason;
  }
}

TEST(CompareAnswers, TellsTheEarliestTokenAtWhichAnswersPart) {
  const auto a = Good(3);
  auto b = Good(3);
  b[0] = Answer(0, {0, 1, 2, 9});
  b[2] = Answer(2, {2, 9, 4, 5});
  const AnswerComparison c = CompareAnswers(a, b);
  EXPECT_EQ(c.differing, 2);
  ASSERT_TRUE(c.first.has_value());
  EXPECT_EQ(c.first->token, 1u);
  EXPECT_EQ(c.first->index, 2);
  const Verdict told = Of(JudgeAnswers(c, {}), "answers_differing");
  EXPECT_EQ(told.finding, Finding::kWarning);
  EXPECT_THAT(told.reason, HasSubstr("2 of 3"));
  EXPECT_THAT(told.reason, HasSubstr("at token 1 (stage s, round 0, request 2)"));
  AnswerRules strict;
  strict.equal_answers = true;
  EXPECT_EQ(Of(JudgeAnswers(c, strict), "answers_differing").finding, Finding::kRegression);
  AnswerRules sampled = strict;
  sampled.greedy = false;
  EXPECT_EQ(Of(JudgeAnswers(c, sampled), "answers_differing").finding, Finding::kNotJudged);
}

TEST(CompareAnswers, OneThatEndsEarlierPartsAtItsEnd) {
  const std::vector<RequestRecord> a{Answer(0, {1, 2, 3, 4})};
  const std::vector<RequestRecord> b{Answer(0, {1, 2})};
  const auto first = CompareAnswers(a, b).first;
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->token, 2u);
  EXPECT_FALSE(first->beyond);
}

TEST(CompareAnswers, LongAnswersAreComparedByHashBeyondWhatWasKept) {
  std::vector<RequestRecord> a{Answer(0, {1, 2, 3})}, b{Answer(0, {1, 2, 3})};
  a[0].tokens = b[0].tokens = 900;
  b[0].text_sha256 = "another";
  const auto first = CompareAnswers(a, b).first;
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->token, 3u);
  EXPECT_TRUE(first->beyond);
}

TEST(CompareAnswers, WithoutIdsOnlyTheHashTells) {
  std::vector<RequestRecord> a{Answer(0, {1})}, b{Answer(0, {2})};
  a[0].ids.clear();
  const AnswerComparison c = CompareAnswers(a, b);
  EXPECT_EQ(c.differing, 1);
  EXPECT_FALSE(c.first->token.has_value());
  EXPECT_THAT(Of(JudgeAnswers(c, {}), "answers_differing").reason, HasSubstr("not known"));
}

TEST(JudgeAnswers, GarbageOfTheCandidateAloneLoses) {
  const auto a = Good(6);
  auto b = Good(6);
  for (int i = 0; i < 5; ++i)
    b[static_cast<std::size_t>(i)].degeneration = Degeneration::kRepeatedToken;
  const auto verdicts = JudgeAnswers(CompareAnswers(a, b), {});
  const Verdict garbage = Of(verdicts, "answers_degenerate");
  EXPECT_EQ(garbage.finding, Finding::kRegression);
  EXPECT_THAT(garbage.reason, HasSubstr("5 of 6 answers of the candidate are garbage"));
  EXPECT_THAT(garbage.reason, HasSubstr("one token over and over"));
}

// 4 : 0 has a probability of 1/16 by chance, 5 : 0 of 1/32.
TEST(JudgeAnswers, AFewAreAWarningOnly) {
  const auto a = Good(10);
  auto b = Good(10);
  for (std::size_t i = 0; i < 4; ++i) b[i].degeneration = Degeneration::kShortCycle;
  EXPECT_EQ(Of(JudgeAnswers(CompareAnswers(a, b), {}), "answers_degenerate").finding,
            Finding::kWarning);
  b[4].degeneration = Degeneration::kShortCycle;
  EXPECT_EQ(Of(JudgeAnswers(CompareAnswers(a, b), {}), "answers_degenerate").finding,
            Finding::kRegression);
  // The other way round it is the baseline that is broken.
  EXPECT_EQ(Of(JudgeAnswers(CompareAnswers(b, a), {}), "answers_degenerate").finding,
            Finding::kImprovement);
}

TEST(JudgeAnswers, WhatBothSpoilIsNobodysFault) {
  auto a = Good(8);
  for (RequestRecord& record : a) record.degeneration = Degeneration::kEmpty;
  const auto verdicts = JudgeAnswers(CompareAnswers(a, a), {});
  EXPECT_EQ(Of(verdicts, "answers_degenerate").finding, Finding::kNoChange);
  AnswerRules random_weights;
  random_weights.degeneration_judged = false;
  EXPECT_EQ(
      Of(JudgeAnswers(CompareAnswers(a, Good(8)), random_weights), "answers_degenerate").finding,
      Finding::kNotJudged);
}

TEST(JudgeAnswers, FailingMoreOftenLoses) {
  const auto a = Good(8);
  auto b = Good(8);
  for (std::size_t i = 0; i < 6; ++i) b[i].outcome = "connection_reset";
  const auto verdicts = JudgeAnswers(CompareAnswers(a, b), {});
  EXPECT_EQ(Of(verdicts, "requests_failed").finding, Finding::kRegression);
  EXPECT_EQ(Of(verdicts, "answers_differing").n, 2);
}

TEST(JudgeAnswers, NothingAskedOfBothIsNoPass) {
  for (const Verdict& verdict : JudgeAnswers(CompareAnswers(Good(2), {}), {})) {
    EXPECT_EQ(verdict.finding, Finding::kInsufficientData) << verdict.metric;
  }
}

TEST(Discount, FastGarbageIsNoWin) {
  auto b = Good(6);
  for (RequestRecord& record : b) record.degeneration = Degeneration::kRepeatedToken;
  const auto answers = JudgeAnswers(CompareAnswers(Good(6), b), {});
  std::vector<Verdict> times(3);
  times[0].finding = Finding::kImprovement;
  times[0].reason = "+40 %";
  times[1].finding = Finding::kNoChange;
  times[2].finding = Finding::kRegression;
  Discount(answers, times);
  EXPECT_EQ(times[0].finding, Finding::kRegression);
  EXPECT_THAT(times[0].reason, HasSubstr("+40 %; no win: 6 of 6 answers"));
  EXPECT_EQ(times[1].finding, Finding::kNoChange);
  EXPECT_EQ(times[2].finding, Finding::kRegression);
}

TEST(Discount, ABrokenBaselineIsNoMeasure) {
  auto a = Good(6);
  for (RequestRecord& record : a) record.degeneration = Degeneration::kRepeatedToken;
  std::vector<Verdict> times(1);
  times[0].finding = Finding::kRegression;
  Discount(JudgeAnswers(CompareAnswers(a, Good(6)), {}), times);
  EXPECT_EQ(times[0].finding, Finding::kInsufficientData);
  EXPECT_THAT(times[0].reason, HasSubstr("counts for nothing"));
}

}  // namespace
}  // namespace harness
