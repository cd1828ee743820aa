// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <vector>

#include "backend/base/testing/soak.h"
#include "harness/base/random.h"
#include "harness/measure/distribution.h"

namespace harness {
namespace {

TEST(Holm, ByHand) {
  // Sorted .01 .02 .03 .04 times 4 3 2 1, then made rising.
  EXPECT_EQ(HolmAdjust(std::vector<double>{0.04, 0.01, 0.03, 0.02}),
            (std::vector<double>{0.06, 0.04, 0.06, 0.06}));
  EXPECT_EQ(HolmAdjust(std::vector<double>{0.7, 0.9}), (std::vector<double>{1.0, 1.0}));
  EXPECT_TRUE(HolmAdjust({}).empty());
}

TEST(Rounds, Abba) {
  EXPECT_EQ(BaselineFirst(6), (std::vector<bool>{true, false, false, true, true, false}));
}

TEST(Direction, OfMetrics) {
  EXPECT_EQ(BetterDirection("decode_tokens_per_s.p50"), Better::kHigher);
  EXPECT_EQ(BetterDirection("throughput_tokens_per_s"), Better::kHigher);
  EXPECT_EQ(BetterDirection("goodput_ratio"), Better::kHigher);
  EXPECT_EQ(BetterDirection("ttft_ms.p50"), Better::kLower);
  EXPECT_EQ(BetterDirection("requests_failed"), Better::kLower);
}

TEST(Effect, PointEstimateIsTheGeometricMeanRatio) {
  const Effect effect = EstimateEffect(
      std::vector<RoundPair>{{100, 110}, {100, 121}, {200, 220}, {50, 55}, {10, 11}});
  EXPECT_NEAR(effect.ratio, 1.1 * std::pow(1.1, 0.2), 1e-12);
  EXPECT_EQ(effect.rounds, 5);
  // Log-ratios are L, 2L, L, L, L with L = log 1.1: their deviation is L / sqrt(5).
  EXPECT_NEAR(effect.deviation, std::log(1.1) / std::sqrt(5), 1e-12);
}

TEST(Effect, IdenticalRoundsAreCertain) {
  const std::vector<RoundPair> same(10, RoundPair{100, 120});
  const Effect effect = EstimateEffect(same);
  EXPECT_NEAR(effect.ratio, 1.2, 1e-12);
  EXPECT_NEAR(effect.low, 1.2, 1e-12);
  EXPECT_EQ(effect.p_value, 0);
  EXPECT_EQ(EstimateEffect(std::vector<RoundPair>(10, RoundPair{7, 7})).p_value, 1);
}

TEST(Effect, TooFewRoundsSayNothing) {
  const Effect effect = EstimateEffect(std::vector<RoundPair>(4, RoundPair{1, 2}));
  EXPECT_EQ(effect.low, 0);
  EXPECT_TRUE(std::isinf(effect.high));
  EXPECT_FALSE(IsSuspect(effect));
  EXPECT_FALSE(IsSuspect(EstimateEffect({})));
}

TEST(Effect, SwappingTheVariantsInvertsIt) {
  const std::vector<RoundPair> rounds = {{10, 11}, {10, 12}, {11, 12}, {9, 11},
                                         {10, 10}, {12, 13}, {10, 11}};
  std::vector<RoundPair> swapped;
  for (const RoundPair& r : rounds) swapped.push_back({r.b, r.a});
  const Effect forth = EstimateEffect(rounds);
  const Effect back = EstimateEffect(swapped);
  EXPECT_NEAR(forth.ratio * back.ratio, 1, 1e-12);
  EXPECT_NEAR(forth.low * back.high, 1, 0.02);
  EXPECT_NEAR(forth.p_value, back.p_value, 0.002);  // ties at the last bit
}

// The sampling model of a session of measurements. Both variants of a round share the machine's
// mood of the hour (8 %) and an AR(1) drift; each server start adds 1.5 % of its own.
class NoiseModel {
 public:
  explicit NoiseModel(std::uint64_t seed) : random_(seed) {}

  std::vector<RoundPair> Rounds(int n, double effect) {
    std::vector<RoundPair> rounds;
    for (const bool baseline_first : BaselineFirst(n)) {
      const double session = random_.Normal(0, 0.08);
      const double first = Start(session);
      const double second = Start(session);
      const double a = baseline_first ? first : second;
      const double b = baseline_first ? second : first;
      rounds.push_back({a, b * (1 + effect)});
    }
    return rounds;
  }

 private:
  // The median of 20 requests after one server start.
  double Start(double session) {
    drift_ = 0.9 * drift_ + random_.Normal(0, 0.01);
    const double level = 10 * std::exp(session + drift_ + random_.Normal(0, 0.015));
    std::vector<double> requests;
    for (int i = 0; i < 20; ++i) requests.push_back(level * random_.LogNormal(1, 0.05));
    return Describe(requests).Find(0.5)->value;
  }

  Random random_;
  double drift_ = 0;
};

// What the runner does: ten rounds, and ten more when they are suspect.
Finding RunOnce(NoiseModel& model, double effect, int rounds = 10) {
  MetricRounds metric{"tpot_ms.p50", model.Rounds(rounds, effect), {}};
  if (IsSuspect(EstimateEffect(metric.first))) metric.confirmation = model.Rounds(rounds, effect);
  return JudgeComparison(std::vector{metric}).front().finding;
}

int CountFound(double effect, Finding wanted, int trials, std::uint64_t seed) {
  NoiseModel model(seed);
  int found = 0;
  for (int i = 0; i < trials; ++i) found += RunOnce(model, effect) == wanted ? 1 : 0;
  return found;
}

// Sanitized builds look for errors of another kind, and are thirty times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kTrials = 15;
#else
constexpr int kTrials = 100;
#endif
int Trials() { return rocm::QuickOrFull(kTrials, 10 * kTrials); }

TEST(Simulation, SameAgainstSameAlarmsAtMostOnceInAHundred) {
  NoiseModel model(1);
  int alarms = 0;
  for (int i = 0; i < Trials(); ++i) {
    const Finding finding = RunOnce(model, 0);
    alarms += finding == Finding::kRegression || finding == Finding::kImprovement ? 1 : 0;
  }
  EXPECT_LE(alarms, std::max(1, Trials() / 100));
}

TEST(Simulation, TenPercentIsCaught) {
  EXPECT_GE(CountFound(0.10, Finding::kRegression, Trials(), 2), Trials() * 95 / 100);
  EXPECT_GE(CountFound(-0.10, Finding::kImprovement, Trials(), 3), Trials() * 95 / 100);
}

// Three percent is either seen or said to be too small to see; it is never "no change" in silence.
TEST(Simulation, ThreePercentIsSeenOrSaidToBeTooSmall) {
  NoiseModel model(4);
  for (int i = 0; i < 20; ++i) {
    MetricRounds metric{"tpot_ms.p50", model.Rounds(10, 0.03), {}};
    if (IsSuspect(EstimateEffect(metric.first))) metric.confirmation = model.Rounds(10, 0.03);
    const Verdict verdict = JudgeComparison(std::vector{metric}).front();
    EXPECT_NE(verdict.finding, Finding::kImprovement);
    if (verdict.finding == Finding::kInsufficientData) {
      EXPECT_GT(*verdict.smallest_effect, 0);
      EXPECT_NE(verdict.reason.find("%"), std::string::npos);
    }
  }
}

// When each server start has 8 % of its own, ten rounds are too few: RoundsNeeded says how many it
// takes, and with those the effect is caught.
TEST(Simulation, NoisyStartsNeedTheRoundsThatArePlanned) {
  Random random(5);
  const auto rounds = [&](int n, double effect) {
    std::vector<RoundPair> pairs;
    for (int i = 0; i < n; ++i) {
      pairs.push_back({random.LogNormal(10, 0.08), random.LogNormal(10, 0.08) * (1 + effect)});
    }
    return pairs;
  };
  const int needed = RoundsNeeded(EstimateEffect(rounds(40, 0)), 0.10);
  EXPECT_GT(needed, 10);
  EXPECT_LT(needed, 25);
  int caught = 0;
  int alarms = 0;
  for (int i = 0; i < kTrials; ++i) {
    for (const double effect : {0.0, 0.10}) {
      MetricRounds metric{"ttft_ms.p50", rounds(2 * needed, effect), {}};
      if (IsSuspect(EstimateEffect(metric.first))) metric.confirmation = rounds(2 * needed, effect);
      const Finding finding = JudgeComparison(std::vector{metric}).front().finding;
      (effect > 0 ? caught : alarms) += finding == Finding::kRegression ? 1 : 0;
    }
  }
  EXPECT_LE(alarms, 1);
  EXPECT_GE(caught, kTrials * 95 / 100);
}

TEST(Simulation, IntervalsCoverTheTruth) {
  NoiseModel model(6);
  int covered = 0;
  constexpr int kSessions = 3 * kTrials;
  for (int i = 0; i < kSessions; ++i) {
    const Effect effect = EstimateEffect(model.Rounds(10, 0.05));
    covered += effect.low <= 1.05 && effect.high >= 1.05 ? 1 : 0;
  }
  EXPECT_GE(covered, kSessions * 90 / 100);
  EXPECT_LE(covered, kSessions * 99 / 100 + 1);
}

TEST(Judge, NoChangeOnlyWhenTheIntervalIsWithinTheMargin) {
  std::vector<RoundPair> tight;
  std::vector<RoundPair> loose;
  for (int i = 0; i < 12; ++i) {
    const double wobble = (i % 3 - 1) * 0.01;
    tight.push_back({100, 100 * (1 + wobble)});
    loose.push_back({100, 100 * (1 + 10 * wobble)});
  }
  const auto verdicts = JudgeComparison(
      std::vector<MetricRounds>{{"tpot_ms.p50", tight, {}}, {"ttft_ms.p50", loose, {}}});
  EXPECT_EQ(verdicts[0].finding, Finding::kNoChange);
  EXPECT_EQ(verdicts[1].finding, Finding::kInsufficientData);
  EXPECT_GT(*verdicts[1].smallest_effect, 0.03);
}

TEST(Judge, AnUnconfirmedSuspicionAsksForMore) {
  std::vector<RoundPair> rounds;
  for (int i = 0; i < 10; ++i) rounds.push_back({100, 110.0 + i % 2});
  const auto verdict = JudgeComparison(std::vector<MetricRounds>{{"tpot_ms.p50", rounds, {}}})[0];
  EXPECT_EQ(verdict.finding, Finding::kInsufficientData);
  EXPECT_NE(verdict.reason.find("asks for confirming rounds"), std::string::npos);
  const auto confirmed =
      JudgeComparison(std::vector<MetricRounds>{{"tpot_ms.p50", rounds, rounds}})[0];
  EXPECT_EQ(confirmed.finding, Finding::kRegression);
  const auto rate =
      JudgeComparison(std::vector<MetricRounds>{{"decode_tokens_per_s.p50", rounds, rounds}})[0];
  EXPECT_EQ(rate.finding, Finding::kImprovement);
}

TEST(Judge, AConfirmationThatDisagreesIsNoVerdict) {
  std::vector<RoundPair> up;
  std::vector<RoundPair> down;
  for (int i = 0; i < 10; ++i) {
    up.push_back({100, 120.0 + i % 2});
    down.push_back({100, 95.0 + i % 2});
  }
  EXPECT_EQ(JudgeComparison(std::vector<MetricRounds>{{"tpot_ms.p50", up, down}})[0].finding,
            Finding::kInsufficientData);
}

}  // namespace
}  // namespace harness
