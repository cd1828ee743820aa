// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace harness {
namespace {

std::vector<double> Gaps(const OpenLoop& plan, int n) {
  Arrivals arrivals(plan);
  std::vector<double> gaps;
  double last = 0;
  for (int i = 0; i < n; ++i) {
    const double at = static_cast<double>(arrivals.Next()->count()) * 1e-9;
    gaps.push_back(at - last);
    last = at;
  }
  return gaps;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double Variation(const std::vector<double>& values) {
  const double mean = Mean(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size())) / mean;
}

TEST(Arrivals, ConstantNeverDrifts) {
  const OpenLoop plan{.process = ArrivalProcess::kConstant, .rate_per_s = 3};
  Arrivals arrivals(plan);
  std::chrono::nanoseconds at{0};
  for (int i = 0; i <= 3'000'000; ++i) at = *arrivals.Next();
  EXPECT_EQ(at, std::chrono::seconds(1'000'000));
}

TEST(Arrivals, ThirdsOfASecondAreNotRounded) {
  EXPECT_NEAR(Gaps({.process = ArrivalProcess::kConstant, .rate_per_s = 3}, 7)[6], 1.0 / 3, 2e-9);
}

// Exponential gaps have a coefficient of variation of 1, gamma gaps of 1/sqrt(shape).
TEST(Arrivals, PoissonHasTheRateAndTheVariation) {
  const auto gaps =
      Gaps({.process = ArrivalProcess::kPoisson, .rate_per_s = 50, .seed = 3}, 40'000);
  EXPECT_NEAR(Mean(gaps), 0.02, 0.0004);
  EXPECT_NEAR(Variation(gaps), 1.0, 0.03);
}

TEST(Arrivals, GammaShapeSetsTheBurstiness) {
  for (const double shape : {0.25, 4.0}) {
    const auto gaps = Gaps(
        {.process = ArrivalProcess::kGamma, .rate_per_s = 50, .shape = shape, .seed = 3}, 40'000);
    EXPECT_NEAR(Mean(gaps), 0.02, 0.0008);
    EXPECT_NEAR(Variation(gaps), 1 / std::sqrt(shape), 0.06);
  }
}

TEST(Arrivals, SeedDecidesEverything) {
  const OpenLoop plan{.process = ArrivalProcess::kPoisson, .rate_per_s = 5, .seed = 9};
  EXPECT_EQ(Gaps(plan, 100), Gaps(plan, 100));
  OpenLoop other = plan;
  other.seed = 10;
  EXPECT_NE(Gaps(plan, 100), Gaps(other, 100));
}

TEST(Arrivals, TraceEnds) {
  OpenLoop plan{.process = ArrivalProcess::kTrace};
  plan.trace = {{std::chrono::nanoseconds(5)}, {std::chrono::nanoseconds(7)}};
  Arrivals arrivals(plan);
  EXPECT_EQ(arrivals.Next(), std::chrono::nanoseconds(5));
  EXPECT_EQ(arrivals.Next(), std::chrono::nanoseconds(7));
  EXPECT_EQ(arrivals.Next(), std::nullopt);
}

TEST(Draw, StaysInBoundsAndReachesThem) {
  Random random(1);
  bool low = false, high = false;
  for (int i = 0; i < 1'000; ++i) {
    const int n = Draw(UniformLength{3, 6}, random);
    ASSERT_GE(n, 3);
    ASSERT_LE(n, 6);
    low = low || n == 3;
    high = high || n == 6;
    ASSERT_LE(Draw(LognormalLength{100, 2, 150}, random), 150);
    ASSERT_GE(Draw(LognormalLength{1, 3, 150}, random), 1);
    const int choice = Draw(ChoiceLength{{2, 9}}, random);
    ASSERT_TRUE(choice == 2 || choice == 9);
  }
  EXPECT_TRUE(low && high);
}

}  // namespace
}  // namespace harness
