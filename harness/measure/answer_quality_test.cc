// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/answer_quality.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace harness {
namespace {

using Ids = std::vector<std::int32_t>;

Ids Counting(int n) {
  Ids ids;
  for (int i = 0; i < n; ++i) ids.push_back(265 + i);
  return ids;
}

Ids Cycle(int n, int period) {
  Ids ids = Counting(n);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int>(i) % period;
  return ids;
}

std::string Repeat(const std::string& text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

TEST(Degeneration, HealthyAnswers) {
  EXPECT_FALSE(FindDegeneration("Paris.", Ids{1, 2}));
  EXPECT_FALSE(FindDegeneration("text", Counting(128)));
  EXPECT_FALSE(
      FindDegeneration("the quick brown fox jumps over the lazy dog and then it rests in "
                       "the shade of a tree until evening",
                       {}));
  EXPECT_FALSE(FindDegeneration("é € 😀", Ids{1, 2, 3}));
}

TEST(Degeneration, EachKind) {
  EXPECT_EQ(FindDegeneration("", Ids{1}), Degeneration::kEmpty);
  EXPECT_EQ(FindDegeneration("x\xff", Ids{1, 2}), Degeneration::kInvalidUtf8);
  EXPECT_EQ(FindDegeneration("x\xEF\xBF\xBD", Ids{1, 2}), Degeneration::kInvalidUtf8);
  EXPECT_EQ(FindDegeneration("x\xE2\x82", Ids{1, 2}), Degeneration::kInvalidUtf8);
  EXPECT_EQ(FindDegeneration("x", Cycle(64, 1)), Degeneration::kRepeatedToken);
  EXPECT_EQ(FindDegeneration("x", Cycle(64, 2)), Degeneration::kShortCycle);
  EXPECT_EQ(FindDegeneration("x", Cycle(128, 16)), Degeneration::kShortCycle);
  EXPECT_EQ(FindDegeneration(Repeat("GGGG ", 40), {}), Degeneration::kRepeatedToken);
  EXPECT_EQ(FindDegeneration(Repeat("to be or not ", 30), {}), Degeneration::kShortCycle);
}

TEST(Degeneration, OnlyTheTailCounts) {
  Ids ids = Counting(30);
  ids.insert(ids.end(), 34, 7);
  EXPECT_EQ(FindDegeneration("x", ids), Degeneration::kRepeatedToken);
  ids.back() = 8;
  EXPECT_FALSE(FindDegeneration("x", ids));
}

TEST(Degeneration, ShortOrLongCyclesAreNotCalledSo) {
  EXPECT_FALSE(FindDegeneration("no no no", Cycle(15, 1)));
  EXPECT_FALSE(FindDegeneration("x", Cycle(256, 17)));
  EXPECT_FALSE(FindDegeneration("x", Cycle(64, 16)));  // two repeats in the tail prove nothing
}

TEST(Degeneration, OneBadCharacterInALongTextIsNot) {
  EXPECT_FALSE(FindDegeneration(Repeat("word ", 3) + "ends with \xEF\xBF\xBD", Ids{1, 2, 3}));
}

TEST(Divergence, FirstDifferingId) {
  EXPECT_FALSE(FirstDivergence(Ids{1, 2, 3}, Ids{1, 2, 3}));
  EXPECT_FALSE(FirstDivergence({}, {}));
  EXPECT_EQ(FirstDivergence(Ids{1, 2, 3}, Ids{1, 9, 3}), 1U);
  EXPECT_EQ(FirstDivergence(Ids{1, 2}, Ids{1, 2, 3}), 2U);
  EXPECT_EQ(FirstDivergence(Ids{}, Ids{1}), 0U);
}

}  // namespace
}  // namespace harness
