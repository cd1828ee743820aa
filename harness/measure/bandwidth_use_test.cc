// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/bandwidth_use.h"

#include <gtest/gtest.h>

#include "harness/measure/metric_check.h"

namespace harness {
namespace {

// 20 tok/s: one token each 50 ms.
StageSummary TwentyTokensPerSecond(int streams) {
  std::vector<RequestRecord> records;
  for (int i = 0; i < streams; ++i) {
    RequestRecord record;
    record.outcome = "ok";
    record.index = i;
    record.tokens = 11;
    record.scheduled_ns = record.sent_ns = 1'000'000'000;
    record.first_token_ns = 1'100'000'000;
    record.last_token_ns = record.finished_ns = 1'600'000'000;
    records.push_back(record);
  }
  return Summarise(records, {});
}

TEST(BandwidthUse, BytesPerTokenTimesRateOverBandwidth) {
  // 1.2 GB a token at 20 tok/s are 24 GB/s, of 60.
  StageSummary summary = TwentyTokensPerSecond(1);
  AddBandwidthUse({1'200'000'000, false, 60e9}, summary);
  EXPECT_NEAR(summary.values.at("bandwidth_utilisation_ratio"), 0.4, 1e-9);
  EXPECT_TRUE(FindStatistic(summary, "bandwidth_utilisation_ratio"));
  EXPECT_TRUE(IsTiming("bandwidth_utilisation_ratio"));
}

TEST(BandwidthUse, StreamsShareOnePassOverTheWeights) {
  StageSummary summary = TwentyTokensPerSecond(4);
  AddBandwidthUse({1'200'000'000, false, 60e9}, summary);
  EXPECT_NEAR(summary.values.at("bandwidth_utilisation_ratio"), 0.4, 1e-9);
}

TEST(BandwidthUse, ExpertsAreKnownForASingleStreamOnly) {
  StageSummary one = TwentyTokensPerSecond(1);
  StageSummary four = TwentyTokensPerSecond(4);
  AddBandwidthUse({1'200'000'000, true, 60e9}, one);
  AddBandwidthUse({1'200'000'000, true, 60e9}, four);
  EXPECT_EQ(one.values.count("bandwidth_utilisation_ratio"), 1u);
  EXPECT_EQ(four.values.count("bandwidth_utilisation_ratio"), 0u);
}

TEST(BandwidthUse, NothingWithoutARateOrALimit) {
  StageSummary no_rate;
  AddBandwidthUse({1'200'000'000, false, 60e9}, no_rate);
  EXPECT_TRUE(no_rate.values.empty());
  StageSummary no_limit = TwentyTokensPerSecond(1);
  AddBandwidthUse({0, false, 60e9}, no_limit);
  AddBandwidthUse({1, false, 0}, no_limit);
  EXPECT_EQ(no_limit.values.count("bandwidth_utilisation_ratio"), 0u);
}

}  // namespace
}  // namespace harness
