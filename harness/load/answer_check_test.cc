// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/answer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/gguf/chain_model.h"

namespace harness {
namespace {

namespace chain = rocm::gguf::chain;
using ::testing::HasSubstr;
using ::testing::Optional;

FinishedRequest Answer(std::string text, char last, int tokens) {
  FinishedRequest request;
  request.record.outcome = "ok";
  request.record.text = std::move(text);
  request.output_tokens = tokens;
  request.exact_output = true;
  request.chain_last = chain::ByteToken(static_cast<unsigned char>(last));
  return request;
}

TEST(ChainText, FollowsThePromptsLastByte) {
  EXPECT_EQ(ChainText(chain::ByteToken('o'), 3), " w333 w334 w335");
  EXPECT_EQ(ChainText(chain::WordToken(1134), 2), " w000 w001");
}

TEST(ChainText, TreatsCharactersAsStreamsDo) {
  const std::int32_t question = chain::ByteToken('?');
  EXPECT_EQ(ChainText(question, 1), "");  // half of é, dropped
  EXPECT_EQ(ChainText(question, 2), "é");
  EXPECT_EQ(ChainText(question, 7), "é€");
  EXPECT_EQ(ChainText(question, 9), "é€😀");
  EXPECT_EQ(ChainText(question, 11), "é€😀\xEF\xBF\xBD e0");
}

TEST(AnswerChecker, ChainIsExact) {
  const AnswerChecker checker({AnswerRule::kChain, ""});
  EXPECT_EQ(checker.Wrong(Answer(" w333 w334", 'o', 2)), std::nullopt);
  EXPECT_THAT(checker.Wrong(Answer(" w333 w999", 'o', 2)),
              Optional(HasSubstr("at byte 7 the answer has \"999\" where the chain has \"334\"")));
  EXPECT_NE(checker.Wrong(Answer(" w333", 'o', 2)), std::nullopt);            // too short
  EXPECT_NE(checker.Wrong(Answer(" w333 w334 w335", 'o', 2)), std::nullopt);  // too long
  EXPECT_NE(checker.Wrong(Answer("", 'o', 2)), std::nullopt);
}

TEST(AnswerChecker, ChainHasNothingToSayWhereNothingIsDefined) {
  const AnswerChecker checker({AnswerRule::kChain, ""});
  EXPECT_EQ(checker.Wrong(Answer("anything", '!', 9)), std::nullopt);  // past the end of text
  FinishedRequest unknown = Answer("anything", 'x', 2);
  unknown.chain_last = std::nullopt;
  EXPECT_EQ(checker.Wrong(unknown), std::nullopt);
}

TEST(AnswerChecker, PlainRules) {
  EXPECT_EQ(AnswerChecker({AnswerRule::kEquals, "ab"}).Wrong(Answer("ab", 'x', 1)), std::nullopt);
  EXPECT_NE(AnswerChecker({AnswerRule::kEquals, "ab"}).Wrong(Answer("abc", 'x', 1)), std::nullopt);
  EXPECT_EQ(AnswerChecker({AnswerRule::kContains, "b"}).Wrong(Answer("abc", 'x', 1)), std::nullopt);
  EXPECT_NE(AnswerChecker({AnswerRule::kContains, "d"}).Wrong(Answer("abc", 'x', 1)), std::nullopt);
  const AnswerChecker pattern({AnswerRule::kMatches, "^ w[0-9]+$"});
  EXPECT_EQ(pattern.Wrong(Answer(" w12", 'x', 1)), std::nullopt);
  EXPECT_NE(pattern.Wrong(Answer(" wx", 'x', 1)), std::nullopt);
}

TEST(AnswerChecker, ReportsAreOneLine) {
  const auto wrong = AnswerChecker({AnswerRule::kEquals, "a"}).Wrong(Answer("\n\x1b[31m", 'x', 1));
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->find('\n'), std::string::npos);
  EXPECT_EQ(wrong->find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace harness
