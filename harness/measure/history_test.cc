// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "harness/base/random.h"

namespace harness {
namespace {

std::vector<double> Noise(Random& random, int n, double level, double deviation) {
  std::vector<double> series;
  for (int i = 0; i < n; ++i) series.push_back(random.LogNormal(level, deviation));
  return series;
}

void Append(std::vector<double>& series, const std::vector<double>& more) {
  series.insert(series.end(), more.begin(), more.end());
}

TEST(ChangePoints, AStepIsFoundWhereItIs) {
  Random random(1);
  std::vector<double> series = Noise(random, 30, 100, 0.01);
  Append(series, Noise(random, 20, 112, 0.01));
  const auto found = FindChangePoints(series);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].index, 30U);
  EXPECT_NEAR(found[0].ratio(), 1.12, 0.02);
  EXPECT_LE(found[0].p_value, 0.001);
}

TEST(ChangePoints, UpAndBackDown) {
  Random random(2);
  std::vector<double> series = Noise(random, 20, 100, 0.01);
  Append(series, Noise(random, 10, 90, 0.01));
  Append(series, Noise(random, 40, 100, 0.01));
  const auto found = FindChangePoints(series);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].index, 20U);
  EXPECT_EQ(found[1].index, 30U);
}

TEST(ChangePoints, ThreeNightsAreEnough) {
  Random random(3);
  std::vector<double> series = Noise(random, 60, 100, 0.015);
  Append(series, Noise(random, 3, 112, 0.015));
  const auto found = FindChangePoints(series);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].index, 60U);
}

TEST(ChangePoints, SmallOnesAndSingleOutliersAreLeftOut) {
  Random random(4);
  std::vector<double> series = Noise(random, 40, 100, 0.003);
  Append(series, Noise(random, 40, 103, 0.003));
  EXPECT_TRUE(FindChangePoints(series).empty());
  series = Noise(random, 40, 100, 0.01);
  series[20] = 150;
  EXPECT_TRUE(FindChangePoints(series).empty());
}

TEST(ChangePoints, ShortAndConstantSeries) {
  EXPECT_TRUE(FindChangePoints({}).empty());
  EXPECT_TRUE(FindChangePoints(std::vector<double>{1, 2, 3, 4}).empty());
  EXPECT_TRUE(FindChangePoints(std::vector<double>(100, 5.0)).empty());
}

TEST(ChangePoints, TheSameSeriesGivesTheSameAnswer) {
  Random random(5);
  std::vector<double> series = Noise(random, 50, 100, 0.02);
  Append(series, Noise(random, 50, 110, 0.02));
  const auto a = FindChangePoints(series);
  const auto b = FindChangePoints(series);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].index, b[i].index);
}

TEST(Fence, QuartilesAndThreeTimesTheirDistance) {
  // Quartiles of 1 … 8 as order statistics: 2 and 6.
  const auto fence = FenceOf(std::vector<double>{8, 7, 6, 5, 4, 3, 2, 1});
  ASSERT_TRUE(fence);
  EXPECT_EQ(fence->low, -10);
  EXPECT_EQ(fence->high, 18);
  EXPECT_TRUE(fence->contains(18));
  EXPECT_FALSE(fence->contains(18.1));
  EXPECT_FALSE(FenceOf(std::vector<double>(7, 1.0)));
}

// Bytes that were the same every night: one page more is no warning, one part in fifty is.
TEST(Fence, HasAWidthWhereThePastHasNone) {
  const auto fence = FenceOf(std::vector<double>(8, 4e9));
  ASSERT_TRUE(fence);
  EXPECT_TRUE(fence->contains(4e9 + 4096));
  EXPECT_FALSE(fence->contains(4.08e9));
}

std::vector<HistoryPoint> Nights(const std::vector<double>& values) {
  std::vector<HistoryPoint> nights;
  for (std::size_t i = 0; i < values.size(); ++i) {
    nights.push_back({values[i],
                      "run-" + std::to_string(i),
                      {{"server_build", "b" + std::to_string(i)}, {"driver", "6.1"}}});
  }
  return nights;
}

TEST(JudgeHistory, NamesTheRareChangeFirst) {
  Random random(6);
  std::vector<double> values = Noise(random, 40, 100, 0.01);
  Append(values, Noise(random, 20, 85, 0.01));
  auto nights = Nights(values);
  for (std::size_t i = 40; i < nights.size(); ++i) nights[i].covariates[1].second = "6.2";
  EXPECT_EQ(Suspects(nights, 40), (std::vector<std::string>{"driver", "server_build"}));
  const auto verdicts = JudgeHistory(nights, "decode_tokens_per_s.p50");
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kChangePoint);
  EXPECT_EQ(verdicts[0].finding, Finding::kRegression);
  EXPECT_NE(verdicts[0].reason.find("run-40"), std::string::npos);
  EXPECT_NE(verdicts[0].reason.find("driver, server_build"), std::string::npos);
  EXPECT_EQ(JudgeHistory(nights, "ttft_ms.p50")[0].finding, Finding::kImprovement);
}

TEST(JudgeHistory, ACauseOneNightBesideIsNamedToo) {
  std::vector<double> values(60, 100);
  auto nights = Nights(values);
  for (std::size_t i = 41; i < nights.size(); ++i) nights[i].covariates[1].second = "6.2";
  EXPECT_EQ(Suspects(nights, 40), std::vector<std::string>{"server_build"});
  EXPECT_EQ(NearbySuspects(nights, 40), std::vector<std::string>{"driver"});
  EXPECT_EQ(NearbySuspects(nights, 39), std::vector<std::string>{"driver"});
  EXPECT_TRUE(NearbySuspects(nights, 38).empty());
  EXPECT_TRUE(NearbySuspects(nights, 41).empty());  // it changed that night
}

TEST(JudgeHistory, WhatAppearsOrGoesHasChanged) {
  auto nights = Nights(std::vector<double>(10, 100));
  nights[5].covariates.emplace_back("environment.GGML_X", "1");
  EXPECT_EQ(Suspects(nights, 5), (std::vector<std::string>{"environment.GGML_X", "server_build"}));
  EXPECT_EQ(Suspects(nights, 6), (std::vector<std::string>{"environment.GGML_X", "server_build"}));
}

TEST(JudgeSeries, TheStateIsThatOfTheNewestValue) {
  Random random(8);
  const auto state = [](const std::vector<double>& values) {
    return JudgeSeries(Nights(values), "decode_tokens_per_s.p50").state;
  };
  EXPECT_EQ(state({100, 101, 99}), SeriesState::kShort);
  std::vector<double> values = Noise(random, 40, 100, 0.01);
  EXPECT_EQ(state(values), SeriesState::kSteady);
  Append(values, Noise(random, 14, 80, 0.01));
  EXPECT_EQ(state(values), SeriesState::kRegression);
  Append(values, Noise(random, 1, 80, 0.01));
  EXPECT_EQ(state(values), SeriesState::kSteady);  // known for fifteen nights
  values.push_back(60);
  EXPECT_EQ(state(values), SeriesState::kWarning);
}

TEST(JudgeHistory, OneStrangeNightIsAWarning) {
  Random random(7);
  auto values = Noise(random, 40, 100, 0.01);
  values.push_back(70);
  const auto verdicts = JudgeHistory(Nights(values), "decode_tokens_per_s.p50");
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kFence);
  EXPECT_EQ(verdicts[0].finding, Finding::kWarning);
}

// 365 nights of 20 series with AR(1) noise, another server build every night, 12 planted changes of
// 8 to 20 %, three of them on the night of a driver change.
TEST(Simulation, AYearOfNights) {
  constexpr int kNights = 365;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kSeries = 5;  // thirty times slower
  constexpr int kPlanted = 4;
#else
  constexpr int kSeries = 20;
  constexpr int kPlanted = 12;
#endif
  Random random(2026);
  int found_in_time = 0;
  int false_alarms = 0;
  int driver_named = 0;
  for (int s = 0; s < kSeries; ++s) {
    const bool planted = s < kPlanted;
    const int night = static_cast<int>(random.UniformInt(40, 320));
    const double size = random.Uniform(0.08, 0.20) * (random.Bernoulli(0.5) ? 1 : -1);
    const bool by_driver = s < 3;
    double drift = 0;
    std::vector<double> values;
    for (int i = 0; i < kNights; ++i) {
      drift = 0.3 * drift + random.Normal(0, 0.01);
      const double level = planted && i >= night ? 100 * (1 + size) : 100;
      values.push_back(level * std::exp(drift + random.Normal(0, 0.01)));
    }
    auto nights = Nights(values);
    for (int i = night; by_driver && i < kNights; ++i) {
      nights[static_cast<std::size_t>(i)].covariates[1].second = "6.2";
    }
    for (const ChangePoint& change : FindChangePoints(values)) {
      const bool right = planted && std::abs(static_cast<int>(change.index) - night) <= 1;
      false_alarms += right ? 0 : 1;
      if (right && by_driver && change.index == static_cast<std::size_t>(night)) {
        driver_named += Suspects(nights, change.index).front() == "driver" ? 1 : 0;
      }
    }
    // As the nights came: was it known three nights after?
    const auto known = std::span(values).first(static_cast<std::size_t>(night) + 3);
    for (const ChangePoint& change : FindChangePoints(known)) {
      const bool right = planted && std::abs(static_cast<int>(change.index) - night) <= 1;
      found_in_time += right ? 1 : 0;
    }
  }
  EXPECT_GE(found_in_time, kPlanted - 1);
  EXPECT_LE(false_alarms, 1);
  EXPECT_GE(driver_named, 2);
}

}  // namespace
}  // namespace harness
