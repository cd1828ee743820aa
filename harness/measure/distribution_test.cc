// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "harness/base/random.h"

namespace harness {
namespace {

std::vector<double> OneTo(int n) {
  std::vector<double> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 1.0);
  return values;
}

TEST(Quantile, IsAnOrderStatistic) {
  const std::vector<double> ten = OneTo(10);
  EXPECT_EQ(QuantileOf(ten, 0.5), 5);
  EXPECT_EQ(QuantileOf(ten, 0.9), 9);  // 0.9 * 10 is 9.000000000000002 in doubles
  EXPECT_EQ(QuantileOf(ten, 0.91), 10);
  EXPECT_EQ(QuantileOf(ten, 0.01), 1);
  EXPECT_EQ(QuantileOf(ten, 1.0), 10);
  EXPECT_EQ(QuantileOf(std::vector<double>{7}, 0.99), 7);
  EXPECT_EQ(QuantileOf(OneTo(1000), 0.99), 990);
  EXPECT_EQ(QuantileOf(OneTo(100), 0.07), 7);  // 0.07 * 100 is 7.000000000000001
}

TEST(Quantile, Names) {
  EXPECT_EQ(QuantileName(0.5), "p50");
  EXPECT_EQ(QuantileName(0.99), "p99");
  EXPECT_EQ(QuantileName(0.999), "p99.9");
}

// Against the definition: (1-q)^n + n q (1-q)^(n-1) <= 1 %, computed by hand for the neighbours.
TEST(MinimumSamples, PublishedFigures) {
  EXPECT_EQ(MinimumSamples(0.5), 11);
  EXPECT_EQ(MinimumSamples(0.9), 64);
  EXPECT_EQ(MinimumSamples(0.99), 662);
  EXPECT_EQ(MinimumSamples(0.1), 64);
}

TEST(Describe, ByHand) {
  const Distribution d = Describe(std::vector<double>{4, 2, 8, 6});
  EXPECT_EQ(d.n, 4);
  EXPECT_EQ(d.mean, 5);
  EXPECT_NEAR(d.sd, 2.581988897471611, 1e-14);  // sqrt(20 / 3)
  EXPECT_EQ(d.min, 2);
  EXPECT_EQ(d.max, 8);
  EXPECT_EQ(d.Find(0.5)->value, 4);
  EXPECT_EQ(d.Find(0.99)->value, 8);
  EXPECT_FALSE(d.Find(0.5)->supported);
  EXPECT_EQ(d.Find(0.123), nullptr);
  // P(B = 0) = 1/16 is more than 2.5 %: four samples have no 95 % interval of the median.
  EXPECT_FALSE(d.Find(0.5)->low);
  EXPECT_FALSE(d.Find(0.5)->high);
}

TEST(Describe, Empty) {
  const Distribution d = Describe({});
  EXPECT_EQ(d.n, 0);
  EXPECT_TRUE(d.quantiles.empty());
}

TEST(Describe, OneSample) {
  const Distribution d = Describe(std::vector<double>{3});
  EXPECT_EQ(d.sd, 0);
  EXPECT_EQ(d.Find(0.5)->value, 3);
}

// The sign-test interval of the median: for n = 10 it is (x2, x9), for n = 6 (x1, x6).
TEST(Describe, MedianIntervalIsTheSignTests) {
  const Distribution ten = Describe(OneTo(10));
  EXPECT_EQ(ten.Find(0.5)->low, 2);
  EXPECT_EQ(ten.Find(0.5)->high, 9);
  const Distribution six = Describe(OneTo(6));
  EXPECT_EQ(six.Find(0.5)->low, 1);
  EXPECT_EQ(six.Find(0.5)->high, 6);
  EXPECT_FALSE(Describe(OneTo(5)).Find(0.5)->low);
}

// 0.99^n <= 2.5 % first holds at n = 368: from there on p99 has an upper limit.
TEST(Describe, P99HasAnUpperLimitFrom368Samples) {
  EXPECT_FALSE(Describe(OneTo(367)).Find(0.99)->high);
  EXPECT_EQ(Describe(OneTo(368)).Find(0.99)->high, 368);
  EXPECT_FALSE(Describe(OneTo(661)).Find(0.99)->supported);
  EXPECT_TRUE(Describe(OneTo(662)).Find(0.99)->supported);
}

TEST(Describe, IntervalsCoverTheTruth) {
  Random random(12);
  constexpr int kTrials = 2'000;
  int median_missed = 0;
  int p90_missed = 0;
  std::vector<double> samples(200);
  for (int trial = 0; trial < kTrials; ++trial) {
    std::ranges::generate(samples, [&] { return random.Uniform(); });
    const Distribution d = Describe(samples);
    const Quantile& median = *d.Find(0.5);
    const Quantile& p90 = *d.Find(0.9);
    median_missed += *median.low > 0.5 || *median.high < 0.5 ? 1 : 0;
    p90_missed += *p90.low > 0.9 || *p90.high < 0.9 ? 1 : 0;
  }
  EXPECT_LE(median_missed, kTrials * 0.06);
  EXPECT_LE(p90_missed, kTrials * 0.06);
  EXPECT_GE(median_missed, kTrials * 0.02);  // an interval that never misses is useless
}

TEST(DescribeDeathTest, NanIsABug) {
  EXPECT_DEATH(static_cast<void>(Describe(std::vector<double>{1, NAN})), "");
}

}  // namespace
}  // namespace harness
