// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/unpaired.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "harness/base/random.h"

namespace harness {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kTime[] = "ttft_ms.p50";  // lower is better

Verdict JudgeOne(UnpairedSamples samples) {
  samples.metric = kTime;
  return JudgeUnpaired(std::vector{std::move(samples)}).front();
}

TEST(Unpaired, WelchOnLogarithms) {
  // scipy.stats.ttest_ind(log b, log a, equal_var=False): p 0.0025390, 5.95022 degrees of freedom.
  const std::vector<double> a{10, 11, 9, 10.5, 9.5};
  const std::vector<double> b{12, 13, 11.5, 12.5, 12.2, 11.8};
  const Effect effect = EstimateUnpaired(a, b);
  EXPECT_NEAR(effect.ratio, 1.2187634695938023, 1e-12);
  EXPECT_NEAR(effect.low, 1.105845520523314, 1e-9);
  EXPECT_NEAR(effect.high, 1.3432114768737333, 1e-9);
  EXPECT_NEAR(effect.p_value, 0.002539018372240316, 1e-11);
  EXPECT_NEAR(effect.smallest_effect, 0.14243720137152346, 1e-9);
  EXPECT_EQ(effect.rounds, 6);
  const Effect back = EstimateUnpaired(b, a);
  EXPECT_NEAR(effect.ratio * back.ratio, 1, 1e-12);
  EXPECT_NEAR(effect.low * back.high, 1, 1e-12);
}

TEST(Unpaired, ASingleStartSaysNothingOfTheNoise) {
  const Effect effect = EstimateUnpaired(std::vector{10.0}, std::vector{13.0, 13.0});
  EXPECT_NEAR(effect.ratio, 1.3, 1e-12);
  EXPECT_EQ(effect.low, 0);
  EXPECT_TRUE(std::isinf(effect.high));
  const Verdict verdict = JudgeOne({"", {10}, {13}, {}, {}});
  EXPECT_EQ(verdict.finding, Finding::kWarning);
  EXPECT_FALSE(verdict.low);
  EXPECT_FALSE(verdict.p_value);
  EXPECT_EQ(JudgeOne({"", {10}, {10.2}, {}, {}}).finding, Finding::kInsufficientData);
  EXPECT_EQ(JudgeOne({"", {10}, {7}, {}, {}}).finding, Finding::kInsufficientData);  // better
}

TEST(Unpaired, TheFenceKnowsTheNoiseOfASeries) {
  const Fence fence{9, 12};
  EXPECT_EQ(JudgeOne({"", {10}, {11.5}, {}, fence}).finding, Finding::kInsufficientData);
  const Verdict outside = JudgeOne({"", {10}, {12.5}, {}, fence});
  EXPECT_EQ(outside.finding, Finding::kWarning);
  EXPECT_THAT(outside.reason, HasSubstr("fence [9, 12]"));
  EXPECT_EQ(JudgeOne({"", {10}, {8.5}, {}, fence}).finding, Finding::kInsufficientData);  // better
}

TEST(Unpaired, OneRunAloneIsNeverARegression) {
  const std::vector<double> base{10, 10.1, 9.9, 10.05, 9.95};
  const std::vector<double> slow{15, 15.1, 14.9, 15.05, 14.95, 15, 15.1, 14.9, 15.05, 14.95};
  const Verdict alone = JudgeOne({"", base, slow, {}, {}});
  EXPECT_EQ(alone.finding, Finding::kWarning);
  EXPECT_THAT(alone.reason, HasSubstr("not confirmed"));
  const Verdict confirmed = JudgeOne({"", base, slow, slow, {}});
  EXPECT_EQ(confirmed.finding, Finding::kRegression);
  EXPECT_EQ(confirmed.n, 20);
  EXPECT_THAT(confirmed.reason, Not(HasSubstr("not confirmed")));
  EXPECT_EQ(JudgeOne({"", slow, base, base, {}}).finding, Finding::kImprovement);
}

TEST(Unpaired, FreshRoundsMustAgreeByThemselves) {
  const std::vector<double> base{10, 10.1, 9.9, 10.05, 9.95};
  const std::vector<double> slow{12, 12.1, 11.9, 12.05, 11.95};
  EXPECT_EQ(JudgeOne({"", base, slow, base, {}}).finding, Finding::kWarning);
  EXPECT_EQ(JudgeOne({"", base, slow, {12, 12.1, 11.9, 12.05}, {}}).finding,
            Finding::kWarning);  // four are too few
  EXPECT_EQ(JudgeOne({"", base, base, base, {}}).finding, Finding::kNoChange);
}

TEST(Unpaired, HolmOverTheMetrics) {
  const std::vector<double> base{10, 10.6, 9.4, 10.3, 9.7};
  const std::vector<double> slower{11.2, 11.8, 10.6, 11.5, 10.9};
  std::vector<UnpairedSamples> metrics;
  metrics.push_back({kTime, base, slower, slower, {}});
  const double alone = *JudgeUnpaired(metrics)[0].p_value;
  for (int i = 0; i < 4; ++i) metrics.push_back({kTime, base, base, base, {}});
  EXPECT_NEAR(*JudgeUnpaired(metrics)[0].p_value, 5 * alone, 1e-12);
}

// Runs of ten server starts, as comparison_test.cc models them, but each side on another night: the
// mood of the hour does not cancel.
class NoisyNights {
 public:
  explicit NoisyNights(std::uint64_t seed) : random_(seed) {}
  std::vector<double> Run(double level) {
    std::vector<double> starts;
    for (int i = 0; i < 10; ++i) {
      drift_ = 0.9 * drift_ + random_.Normal(0, 0.01);
      starts.push_back(level *
                       std::exp(drift_ + random_.Normal(0, 0.08) + random_.Normal(0, 0.015)));
    }
    return starts;
  }

 private:
  Random random_;
  double drift_ = 0;
};

// A baseline of three nights, and two nights of the candidate.
int Count(double effect, Finding wanted) {
  NoisyNights nights(7);
  int found = 0;
  for (int i = 0; i < 100; ++i) {
    UnpairedSamples samples;
    samples.metric = kTime;
    for (int night = 0; night < 3; ++night) {
      const std::vector<double> starts = nights.Run(10);
      samples.baseline.insert(samples.baseline.end(), starts.begin(), starts.end());
    }
    samples.first = nights.Run(10 * (1 + effect));
    samples.confirmation = nights.Run(10 * (1 + effect));
    found += JudgeOne(samples).finding == wanted ? 1 : 0;
  }
  return found;
}

TEST(Simulation, UnpairedRunsCryWolfAtMostOnceInAHundredAndSeeATwentyPercentLoss) {
  EXPECT_LE(Count(0, Finding::kRegression) + Count(0, Finding::kImprovement), 1);
  EXPECT_GE(Count(0.20, Finding::kRegression), 95);
  // A tenth is often too little without interleaving: that is what an A/B is for.
  EXPECT_GE(Count(0.10, Finding::kRegression), 50);
}

}  // namespace
}  // namespace harness
