// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/stage_summary.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "harness/measure/steady_window.h"
#include "harness/measure/test_times.h"

namespace harness {
namespace {

constexpr std::int64_t kT0 = 1'000'000 * kMs;

// One token per chunk: the first `ttft` ms after it was sent, then one each `gap` ms.
RequestRecord Request(std::int64_t sent_ms, std::int64_t ttft, std::int64_t gap, int tokens) {
  RequestRecord r;
  r.scenario = "s";
  r.stage = "steady";
  r.outcome = "ok";
  r.token_source = "ids";
  r.tokens = tokens;
  r.prompt_tokens = 10;
  r.cached_tokens = 0;
  r.scheduled_ns = kT0 + sent_ms * kMs;
  r.connect_ns = r.scheduled_ns;
  r.sent_ns = r.scheduled_ns;
  r.first_byte_ns = r.sent_ns + kMs;
  for (int i = 0; i < tokens; ++i) {
    r.chunks.push_back({r.sent_ns + (ttft + i * gap) * kMs, 1, false});
  }
  r.first_token_ns = r.chunks.front().at_ns;
  r.first_answer_ns = r.first_token_ns;
  r.last_token_ns = r.chunks.back().at_ns;
  r.finished_ns = r.last_token_ns + kMs;
  return r;
}

RequestRecord Failure(std::int64_t sent_ms, const char* outcome) {
  RequestRecord r = Request(sent_ms, 10, 10, 3);
  r.outcome = outcome;
  return r;
}

StagePlan Closed(int concurrency) {
  StagePlan plan;
  plan.concurrency = concurrency;
  return plan;
}

TEST(SteadyWindow, OneStreamIsSteadyFromFirstSendToLastEnd) {
  const std::vector<RequestRecord> records = {Request(0, 10, 5, 3), Request(30, 10, 5, 3)};
  const SteadyWindow w = FindSteadyWindow(records, Closed(1));
  EXPECT_EQ(w.start_ns, kT0);
  EXPECT_EQ(w.end_ns, kT0 + 51 * kMs);
}

// Streams start at 0 and 8; they end at 21 and 29; two more start at 22 and 30. The load is two
// from 8 until 43, when the first of the last two ends.
TEST(SteadyWindow, RampAndDrainAreOutside) {
  const std::vector<RequestRecord> records = {Request(30, 10, 5, 3), Request(0, 10, 5, 3),
                                              Request(22, 10, 5, 3), Request(8, 10, 5, 3)};
  const SteadyWindow w = FindSteadyWindow(records, Closed(2));
  EXPECT_EQ(w.start_ns, kT0 + 8 * kMs);
  EXPECT_EQ(w.end_ns, kT0 + 43 * kMs);
  // Tokens in (8, 43]: 10 15 20 | 18 23 28 | 32 37 42 | 40; seconds in flight: 13+21+21+13 ms.
  const StageSummary s = Summarise(records, Closed(2));
  EXPECT_NEAR(s.values.at("throughput_tokens_per_s"), 10 / 0.035, 1e-9);
  EXPECT_NEAR(s.values.at("concurrency_mean"), 68.0 / 35.0, 1e-9);
  EXPECT_EQ(s.counts.at("concurrency_max"), 2);
}

TEST(SteadyWindow, FewerRequestsThanStreams) {
  const std::vector<RequestRecord> records = {Request(0, 10, 5, 3), Request(2, 10, 5, 3)};
  const SteadyWindow w = FindSteadyWindow(records, Closed(8));
  EXPECT_EQ(w.start_ns, kT0 + 2 * kMs);
  EXPECT_EQ(w.end_ns, kT0 + 21 * kMs);
}

TEST(SteadyWindow, OpenLoopEndsWithTheLastArrival) {
  const std::vector<RequestRecord> records = {Request(0, 10, 5, 30), Request(100, 10, 5, 30),
                                              Request(50, 10, 5, 30)};
  SteadyWindow w = FindSteadyWindow(records, {});
  EXPECT_EQ(w.start_ns, kT0);
  EXPECT_EQ(w.end_ns, kT0 + 100 * kMs);
  StagePlan plan;
  plan.window_start_ns = kT0 + 20 * kMs;
  plan.window_end_ns = kT0 + 90 * kMs;
  w = FindSteadyWindow(records, plan);
  EXPECT_EQ(w.start_ns, kT0 + 20 * kMs);
  EXPECT_EQ(w.end_ns, kT0 + 90 * kMs);
}

TEST(TokensIn, ChunksWithoutCountsShareTheRequestsTokens) {
  RequestRecord r = Request(0, 10, 10, 4);
  r.tokens = 12;
  for (auto& chunk : r.chunks) chunk.tokens = -1;
  EXPECT_NEAR(TokensIn(r, {kT0, kT0 + 25 * kMs}), 6.0, 1e-12);
  r.outcome = "truncated";
  EXPECT_EQ(TokensIn(r, {kT0, kT0 + 25 * kMs}), 0);
}

TEST(Summarise, FailuresAreCountedAndNeverMeasured) {
  std::vector<RequestRecord> records = {Request(0, 10, 5, 3), Failure(30, "truncated"),
                                        Failure(60, "stalled"), Request(90, 20, 5, 3)};
  StagePlan plan = Closed(1);
  plan.limits.ttft_ms = 1000;
  const StageSummary s = Summarise(records, plan);
  EXPECT_EQ(s.requests, 4);
  EXPECT_EQ(s.requests_ok, 2);
  EXPECT_EQ(s.requests_failed, 2);
  EXPECT_EQ(s.outcomes.at("truncated"), 1);
  EXPECT_EQ(s.outcomes.at("ok"), 2);
  EXPECT_EQ(s.distributions.at("ttft_ms").n, 2);
  EXPECT_EQ(s.distributions.at("ttft_ms").Find(0.5)->value, 10);
  EXPECT_EQ(s.distributions.at("schedule_lag_ms").n, 4);
  EXPECT_EQ(s.counts.at("output_tokens_total"), 6);
  EXPECT_EQ(s.values.at("goodput_ratio"), 0.5);
  EXPECT_EQ(s.token_sources.at("ids"), 2);
}

TEST(Summarise, AllFailed) {
  const std::vector<RequestRecord> records = {Failure(0, "stalled")};
  const StageSummary s = Summarise(records, Closed(1));
  EXPECT_EQ(s.requests_failed, 1);
  EXPECT_FALSE(s.distributions.contains("ttft_ms"));
  EXPECT_EQ(s.values.at("throughput_tokens_per_s"), 0);
}

TEST(Summarise, NoRecords) {
  const StageSummary s = Summarise({}, Closed(4));
  EXPECT_EQ(s.requests, 0);
  EXPECT_TRUE(s.values.empty());
}

TEST(Summarise, GoodputHoldsEveryLimit) {
  // TTFT 10, 30; TPOT 5, 5, 9; end to end 21, 41, 29.
  const std::vector<RequestRecord> records = {Request(0, 10, 5, 3), Request(100, 30, 5, 3),
                                              Request(200, 10, 9, 3)};
  StagePlan plan = Closed(1);
  const auto goodput = [&] { return Summarise(records, plan).values.at("goodput_ratio"); };
  EXPECT_FALSE(Summarise(records, plan).values.contains("goodput_ratio"));
  plan.limits.ttft_ms = 30;
  EXPECT_EQ(goodput(), 1);
  plan.limits.ttft_ms = 10;
  EXPECT_NEAR(goodput(), 2.0 / 3, 1e-12);
  plan.limits.tpot_ms = 8;
  EXPECT_NEAR(goodput(), 1.0 / 3, 1e-12);
  plan.limits.e2e_ms = 20;
  EXPECT_EQ(goodput(), 0);
}

TEST(Summarise, OpenLoopLatencyRunsFromTheScheduledTime) {
  std::vector<RequestRecord> records = {Request(0, 10, 5, 3), Request(100, 10, 5, 3)};
  records[1].scheduled_ns -= 80 * kMs;
  const StageSummary s = Summarise(records, {});
  EXPECT_EQ(s.distributions.at("ttft_ms").max, 90);
  EXPECT_EQ(s.distributions.at("ttft_sent_ms").max, 10);
  EXPECT_EQ(s.distributions.at("schedule_lag_ms").max, 80);
}

// Ten requests, one every 100 ms for a second: the first is due when the window opens.
TEST(Summarise, OpenLoopRatesHaveTheFirstArrivalAndNotTheOneAfterTheLast) {
  std::vector<RequestRecord> records;
  for (int i = 0; i < 10; ++i) {
    records.push_back(Request(i * 100, 10, 5, 3));
    records.back().sent_ns += kMs;
  }
  StagePlan plan;
  plan.window_start_ns = kT0;
  plan.window_end_ns = kT0 + 1'000 * kMs;
  EXPECT_DOUBLE_EQ(Summarise(records, plan).values.at("offered_requests_per_s"), 10);
  EXPECT_DOUBLE_EQ(Summarise(records, plan).values.at("sent_requests_per_s"), 10);
  // A refused connection is the server's doing: it left in time.
  records[4].outcome = "connection_refused";
  records[4].sent_ns = 0;
  records[4].connect_ns = records[4].scheduled_ns + kMs;
  EXPECT_DOUBLE_EQ(Summarise(records, plan).values.at("sent_requests_per_s"), 10);
  records[9].sent_ns += 200 * kMs;  // too late: that is ours
  EXPECT_DOUBLE_EQ(Summarise(records, plan).values.at("sent_requests_per_s"), 9);
}

TEST(Summarise, CountsViolations) {
  std::vector<RequestRecord> records = {Request(0, 10, 5, 3), Request(100, 10, 5, 2),
                                        Request(200, 10, 5, 3)};
  records[0].cached_tokens = 4;
  records[2].prompt_tokens = -1;
  StagePlan plan = Closed(1);
  plan.fixed_output_tokens = 3;
  StageSummary s = Summarise(records, plan);
  EXPECT_EQ(s.counts.at("length_mismatches"), 1);
  EXPECT_EQ(s.counts.at("cached_requests"), 1);
  EXPECT_EQ(s.counts.at("usage_missing"), 1);
  plan.caching_expected = true;
  EXPECT_EQ(Summarise(records, plan).counts.at("cached_requests"), 0);
}

// Rates 200 and 100 tokens/s: (300)^2 / (2 * 50000) = 0.9.
TEST(Summarise, FairnessIsJainsIndex) {
  const std::vector<RequestRecord> records = {Request(0, 10, 5, 3), Request(0, 10, 10, 3)};
  EXPECT_NEAR(Summarise(records, Closed(2)).values.at("fairness_jain"), 0.9, 1e-12);
}

TEST(SummariseRounds, IntervalsGoOverRounds) {
  std::vector<StageSummary> rounds;
  std::vector<RequestRecord> all;
  for (const int ttft : {10, 12, 17}) {
    std::vector<RequestRecord> records = {Request(0, ttft, 5, 3)};
    records[0].round = static_cast<int>(rounds.size());
    rounds.push_back(Summarise(records, Closed(1)));
    all.push_back(records[0]);
  }
  const StageSummary s = SummariseRounds(rounds, all);
  EXPECT_EQ(s.round, kAllRounds);
  EXPECT_EQ(s.requests, 3);
  EXPECT_EQ(s.counts.at("output_tokens_total"), 9);
  EXPECT_EQ(s.distributions.at("ttft_ms").n, 3);
  const AcrossRounds& ttft = s.rounds.at("ttft_ms.p50");
  EXPECT_EQ(ttft.rounds, 3);
  EXPECT_EQ(ttft.mean, 13);
  EXPECT_NEAR(ttft.sd, 3.605551275463989, 1e-12);  // sqrt(26 / 2)
  // 4.302652729749464 * sqrt(13) / sqrt(3)
  EXPECT_NEAR(*ttft.high - ttft.mean, 8.95667, 1e-4);
  EXPECT_NEAR(ttft.mean - *ttft.low, 8.95667, 1e-4);
  // (2.776445105 + 0.940964577) * sqrt(13) * sqrt(2 / 3) / 13, with t of 4 degrees of freedom.
  EXPECT_NEAR(*ttft.smallest_effect, 0.841824, 1e-5);
  EXPECT_FALSE(SummariseRounds(std::span(rounds).first(1), all).rounds.at("ttft_ms.p50").low);
}

}  // namespace
}  // namespace harness
