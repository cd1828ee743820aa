// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/calibration.h"

#include <gtest/gtest.h>

#include <vector>

namespace harness {
namespace {

RequestRecord Seen(std::vector<std::int64_t> at) {
  RequestRecord record;
  record.outcome = "ok";
  for (const std::int64_t ns : at) record.chunks.push_back({ns, 1, false});
  if (!at.empty()) record.first_token_ns = at.front();
  return record;
}

TEST(Calibrate, ErrorsByHand) {
  const std::vector<RequestRecord> records = {Seen({1'100'000, 2'300'000}),
                                              Seen({5'200'000, 6'000'000})};
  const std::vector<StreamTruth> truth = {{{1'000'000, 2'000'000}}, {{5'000'000, 6'000'000}}};
  const CalibrationPoint point = Calibrate(2, records, truth, 40e-6);
  EXPECT_EQ(point.requests, 2);
  EXPECT_EQ(point.chunks, 4);
  EXPECT_EQ(point.count_mismatches, 0);
  EXPECT_TRUE(point.usable());
  EXPECT_EQ(point.ttft_error_ms.max, 0.2);
  EXPECT_EQ(point.ttft_error_ms.min, 0.1);
  EXPECT_EQ(point.chunk_error_ms.max, 0.3);
  EXPECT_EQ(point.chunk_error_ms.min, 0.0);
  EXPECT_NEAR(point.cpu_us_per_chunk, 10, 1e-12);
}

TEST(Calibrate, LostOrInventedChunksLeaveNoBound) {
  std::vector<RequestRecord> records = {Seen({1, 2}), Seen({1, 2})};
  const std::vector<StreamTruth> truth = {{{1, 2}}, {{1}}};
  CalibrationPoint point = Calibrate(1, records, truth, 0);
  EXPECT_EQ(point.count_mismatches, 1);
  EXPECT_FALSE(point.usable());
  records[1] = Seen({1});
  records[1].outcome = "truncated";
  EXPECT_EQ(Calibrate(1, records, truth, 0).count_mismatches, 1);
}

CalibrationPoint Point(int concurrency, double error_ms) {
  CalibrationPoint point;
  point.concurrency = concurrency;
  point.ttft_error_ms = Describe(std::vector<double>{error_ms / 2});
  point.chunk_error_ms = Describe(std::vector<double>{error_ms});
  return point;
}

StageSummary Stage(std::int64_t streams) {
  StageSummary summary;
  summary.counts["concurrency_max"] = streams;
  summary.window = {1, 2'000'000'001};
  summary.distributions["ttft_ms"] = Describe(std::vector<double>{50});
  summary.distributions["ttft_sent_ms"] = Describe(std::vector<double>{50});
  summary.distributions["tpot_ms"] = Describe(std::vector<double>{10});
  summary.distributions["decode_tokens_per_s"] = Describe(std::vector<double>{100});
  summary.distributions["output_tokens"] = Describe(std::vector<double>{11});
  summary.distributions["prefill_tokens_per_s"] = Describe(std::vector<double>{400});
  summary.distributions["e2e_ms"] = Describe(std::vector<double>{150});
  summary.values["throughput_tokens_per_s"] = 500;
  return summary;
}

TEST(ErrorBound, FollowsTheFormulaOfEachStatistic) {
  const Calibration calibration{{Point(1, 0.2), Point(16, 0.4)}};
  const auto bound = [&](std::string_view path) { return ErrorBound(calibration, Stage(4), path); };
  EXPECT_NEAR(*bound("ttft_ms.p99"), 0.2, 1e-12);
  EXPECT_NEAR(*bound("e2e_ms.p50"), 0.4, 1e-12);
  EXPECT_NEAR(*bound("tpot_ms.p50"), 0.04, 1e-12);  // 0.4 / 10
  EXPECT_NEAR(*bound("itl_ms.p50"), 0.04, 1e-12);
  EXPECT_NEAR(*bound("decode_tokens_per_s.p50"), 0.4, 1e-12);  // 100 * 0.4 / 100 ms
  EXPECT_NEAR(*bound("throughput_tokens_per_s"), 0.1, 1e-12);  // 500 * 0.4 / 2000 ms
  EXPECT_FALSE(bound("prefill_tokens_per_s.p50"));             // the server's own clock
  EXPECT_FALSE(bound("ttft_ms.n"));
  EXPECT_FALSE(bound("requests_failed"));
  EXPECT_FALSE(bound("nothing"));
}

TEST(ErrorBound, TakesTheNextHigherPointAndNeverExtrapolates) {
  const Calibration calibration{{Point(1, 0.2), Point(16, 0.4)}};
  EXPECT_NEAR(*ErrorBound(calibration, Stage(1), "e2e_ms.p50"), 0.2, 1e-12);
  EXPECT_NEAR(*ErrorBound(calibration, Stage(2), "e2e_ms.p50"), 0.4, 1e-12);
  EXPECT_NEAR(*ErrorBound(calibration, Stage(16), "e2e_ms.p50"), 0.4, 1e-12);
  EXPECT_FALSE(ErrorBound(calibration, Stage(17), "e2e_ms.p50"));
  EXPECT_FALSE(ErrorBound({}, Stage(1), "e2e_ms.p50"));
}

TEST(ErrorBound, AnUnusablePointBoundsNothing) {
  Calibration calibration{{Point(4, 0.2)}};
  calibration.points[0].count_mismatches = 1;
  EXPECT_FALSE(ErrorBound(calibration, Stage(4), "e2e_ms.p50"));
}

}  // namespace
}  // namespace harness
