// SPDX-License-Identifier: EUPL-1.2
#include "harness/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <set>
#include <span>
#include <vector>

namespace harness {
namespace {

struct Moments {
  double mean;
  double variance;
};

Moments Draw(int n, const std::function<double()>& draw) {
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = draw();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / n;
  return {mean, squares / n - mean * mean};
}

// SplitMix64(0) fills the state; the values were computed with a separate Python model of the two
// published algorithms.
TEST(Random, MatchesTheReferenceGenerator) {
  Random random(0);
  EXPECT_EQ(random.Next(), 0x99ec5f36cb75f2b4U);
  EXPECT_EQ(random.Next(), 0xbf6e1f784956452aU);
  EXPECT_EQ(random.Next(), 0x1a5f849d4933e6e0U);
}

// The Python model gives the same, the last one but for its last bit.
TEST(Random, GoldenValuesOfEveryDistribution) {
  Random random(2026);
  const std::array<double, 6> seen = {random.Uniform(),         random.Exponential(2.0),
                                      random.Normal(10.0, 3.0), random.LogNormal(5.0, 0.5),
                                      random.Gamma(2.5, 1.5),   random.Gamma(0.5, 4.0)};
  const std::array<double, 6> golden = {0.5737315027932676, 0.6672550620408944, 11.77315834882577,
                                        5.995416640075403,  4.6117556291345965, 3.6347402315843693};
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], golden[i]) << i;
}

TEST(Random, SameSeedSameValues) {
  Random a(7);
  Random b(7);
  Random c(8);
  bool differs = false;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = a.Next();
    EXPECT_EQ(value, b.Next());
    differs |= value != c.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, ForksAreStableAndIndependentOfDraws) {
  Random a(7);
  Random fork_before = a.Fork("arrivals");
  for (int i = 0; i < 10; ++i) a.Next();
  Random fork_after = a.Fork("arrivals");
  Random other = a.Fork("prompts");
  const std::uint64_t value = fork_before.Next();
  EXPECT_EQ(value, fork_after.Next());
  EXPECT_NE(value, other.Next());
}

TEST(Random, UniformStaysInRange) {
  Random random(1);
  const Moments m = Draw(200'000, [&] {
    const double x = random.Uniform();
    EXPECT_GE(x, 0.0);
    EXPECT_LT(x, 1.0);
    return x;
  });
  EXPECT_NEAR(m.mean, 0.5, 0.003);
  EXPECT_NEAR(m.variance, 1.0 / 12, 0.002);
}

TEST(Random, UniformIntIsUnbiasedAndCoversTheEnds) {
  Random random(3);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i)
    ++counts.at(static_cast<std::size_t>(random.UniformInt(-3, 3) + 3));
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - 10'000.0) * (count - 10'000.0) / 10'000.0;
  EXPECT_LT(chi2, 22.5);  // 99.9 % of chi-squared with 6 degrees of freedom
  EXPECT_EQ(random.UniformInt(5, 5), 5);
  random.UniformInt(INT64_MIN, INT64_MAX);
  for (int i = 0; i < 100; ++i) {
    const std::int64_t x = random.UniformInt(INT64_MAX - 1, INT64_MAX);
    EXPECT_GE(x, INT64_MAX - 1);
  }
}

TEST(Random, Moments) {
  Random random(11);
  constexpr int kDraws = 400'000;
  Moments m = Draw(kDraws, [&] { return random.Exponential(4.0); });
  EXPECT_NEAR(m.mean, 4.0, 0.04);
  EXPECT_NEAR(m.variance, 16.0, 0.5);
  m = Draw(kDraws, [&] { return random.Normal(-2.0, 3.0); });
  EXPECT_NEAR(m.mean, -2.0, 0.03);
  EXPECT_NEAR(m.variance, 9.0, 0.15);
  m = Draw(kDraws, [&] { return std::log(random.LogNormal(5.0, 0.5)); });
  EXPECT_NEAR(m.mean, std::log(5.0), 0.005);
  EXPECT_NEAR(m.variance, 0.25, 0.005);
  m = Draw(kDraws, [&] { return random.Gamma(2.5, 2.0); });
  EXPECT_NEAR(m.mean, 5.0, 0.04);
  EXPECT_NEAR(m.variance, 10.0, 0.3);
  m = Draw(kDraws, [&] { return random.Gamma(0.25, 8.0); });
  EXPECT_NEAR(m.mean, 2.0, 0.04);
  EXPECT_NEAR(m.variance, 16.0, 0.8);
  m = Draw(kDraws, [&] { return random.Bernoulli(0.3) ? 1.0 : 0.0; });
  EXPECT_NEAR(m.mean, 0.3, 0.004);
}

TEST(Random, NormalFollowsItsDistributionFunction) {
  Random random(5);
  std::vector<double> values(20'000);
  std::ranges::generate(values, [&] { return random.Normal(0, 1); });
  std::ranges::sort(values);
  double distance = 0;
  const auto n = static_cast<double>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double cdf = 0.5 * std::erfc(-values[i] / std::sqrt(2.0));
    distance = std::max(distance, std::abs(cdf - (static_cast<double>(i) + 0.5) / n));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(n));  // Kolmogorov-Smirnov, 99.9 %
}

TEST(Random, ShufflePermutes) {
  Random random(9);
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  random.Shuffle(std::span(items));
  EXPECT_FALSE(std::ranges::is_sorted(items));
  EXPECT_EQ(std::set<int>(items.begin(), items.end()).size(), 100U);
}

}  // namespace
}  // namespace harness
