// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/word_costs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace harness {
namespace {

// Costs as the chain model has them: one token a byte, and one for the space.
std::vector<int> ByteCosts() {
  std::vector<int> costs;
  for (const auto word : Words()) costs.push_back(static_cast<int>(word.size()) + 1);
  return costs;
}

// Begin-of-text and the head "Text:".
constexpr int kBare = 6;

int CountBytes(const std::string& text) { return static_cast<int>(text.size()) + 1; }

TEST(Words, AreManyAndDifferent) {
  const std::set<std::string_view> unique(Words().begin(), Words().end());
  EXPECT_EQ(unique.size(), Words().size());
  EXPECT_GE(unique.size(), 300u);
}

TEST(WordCosts, EveryLengthThatCanBeMadeIsExact) {
  const WordCosts costs = WordCosts::FromCosts(ByteCosts(), kBare);
  Random random(5);
  for (int tokens = 8; tokens < 700; ++tokens) {
    const auto text = costs.Text(tokens, 0, random);
    ASSERT_TRUE(text) << tokens;
    ASSERT_EQ(CountBytes(*text), tokens);
  }
}

TEST(WordCosts, ImpossibleLengthsAreSaid) {
  const WordCosts costs = WordCosts::FromCosts(ByteCosts(), kBare);
  Random random(5);
  EXPECT_EQ(costs.Text(5, 0, random), std::nullopt);  // shorter than the head
  EXPECT_EQ(costs.Text(7, 0, random), std::nullopt);  // the shortest word costs two
  EXPECT_EQ(costs.Text(6, 0, random), "Text:");
  EXPECT_EQ(costs.Text(20, 15, random), std::nullopt);
}

TEST(WordCosts, OverheadIsPartOfTheLength) {
  const WordCosts costs = WordCosts::FromCosts(ByteCosts(), kBare);
  Random random(5);
  EXPECT_EQ(CountBytes(*costs.Text(100, 7, random)), 93);
}

TEST(WordCosts, OneTokenWords) {
  const WordCosts costs = WordCosts::FromCosts(std::vector<int>(Words().size(), 1), 1);
  Random random(5);
  const auto text = costs.Text(41, 0, random);
  ASSERT_TRUE(text);
  EXPECT_EQ(std::count(text->begin(), text->end(), ' '), 40);
}

TEST(WordCosts, WordsThatCostNothingAreLeftOut) {
  std::vector<int> odd(Words().size(), 0);
  odd[3] = 2;
  const WordCosts costs = WordCosts::FromCosts(odd, 1);
  Random random(5);
  EXPECT_TRUE(costs.Text(101, 0, random));
  EXPECT_EQ(costs.Text(4, 0, random), std::nullopt);
}

TEST(WordCosts, SeedsDecideTheText) {
  const WordCosts costs = WordCosts::FromCosts(ByteCosts(), kBare);
  Random a(1), b(1), c(2);
  const auto text = costs.Text(300, 0, a);
  EXPECT_EQ(text, costs.Text(300, 0, b));
  EXPECT_NE(text, costs.Text(300, 0, c));
}

}  // namespace
}  // namespace harness
