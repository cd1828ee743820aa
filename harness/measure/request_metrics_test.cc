// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/request_metrics.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "harness/measure/test_times.h"

namespace harness {
namespace {

// Due at 1000 ms, sent at 1004, headers at 1010, role chunk ignored, first token at 1204, then
// chunks of 2 tokens every 5 ms; 9 tokens in all; finished at 1225.
RequestRecord ExampleRequest() {
  RequestRecord r;
  r.outcome = "ok";
  r.tokens = 9;
  r.prompt_tokens = 100;
  r.cached_tokens = 0;
  r.scheduled_ns = 1000 * kMs;
  r.connect_ns = 1001 * kMs;
  r.sent_ns = 1004 * kMs;
  r.first_byte_ns = 1010 * kMs;
  r.first_token_ns = 1204 * kMs;
  r.first_answer_ns = 1209 * kMs;
  r.last_token_ns = 1224 * kMs;
  r.finished_ns = 1225 * kMs;
  r.chunks = {{1204 * kMs, 1, false},
              {1209 * kMs, 2, false},
              {1214 * kMs, 2, false},
              {1214 * kMs, 2, true},
              {1224 * kMs, 2, false}};
  r.timings = rocm::Timings{0, 100, 160.0, 9, 19.0};
  return r;
}

TEST(Measure, EveryMetricByHand) {
  const RequestMetrics m = Measure(ExampleRequest());
  EXPECT_EQ(m.ttft_ms, 204.0);
  EXPECT_EQ(m.ttft_sent_ms, 200.0);
  EXPECT_EQ(m.ttft_answer_ms, 209.0);
  EXPECT_EQ(m.ttfb_ms, 6.0);
  EXPECT_EQ(m.connect_ms, 3.0);
  EXPECT_EQ(m.tpot_ms, 2.5);  // 20 ms over 8 intervals: by tokens, never by chunks
  EXPECT_EQ(m.decode_tokens_per_s, 400.0);
  EXPECT_EQ(m.prefill_tokens_per_s, 625.0);
  EXPECT_EQ(m.prefill_client_tokens_per_s, 500.0);
  EXPECT_EQ(m.e2e_ms, 225.0);
  EXPECT_EQ(m.e2e_sent_ms, 221.0);
  EXPECT_EQ(m.schedule_lag_ms, 4.0);
}

TEST(Measure, GapsAreWhatWasSeenOnTheWire) {
  EXPECT_EQ(InterChunkGapsMs(ExampleRequest()), (std::vector<double>{5, 5, 0, 10}));
  EXPECT_TRUE(InterChunkGapsMs(RequestRecord{}).empty());
}

TEST(Measure, OneTokenHasNoInterval) {
  RequestRecord record = ExampleRequest();
  record.tokens = 1;
  record.last_token_ns = record.first_token_ns;
  const RequestMetrics m = Measure(record);
  EXPECT_FALSE(m.tpot_ms);
  EXPECT_FALSE(m.decode_tokens_per_s);
  EXPECT_EQ(m.ttft_ms, 204.0);
}

TEST(Measure, AllTokensInOneReadHaveNoRate) {
  RequestRecord record = ExampleRequest();
  record.last_token_ns = record.first_token_ns;
  EXPECT_FALSE(Measure(record).decode_tokens_per_s);
  EXPECT_FALSE(Measure(record).tpot_ms);
}

TEST(Measure, WhatNeverHappenedIsUndefinedAndNotZero) {
  RequestRecord record;
  record.outcome = "connection_refused";
  record.scheduled_ns = 5;
  const RequestMetrics m = Measure(record);
  EXPECT_FALSE(m.ttft_ms || m.ttft_sent_ms || m.ttfb_ms || m.connect_ms || m.tpot_ms || m.e2e_ms ||
               m.schedule_lag_ms || m.prefill_tokens_per_s || m.prefill_client_tokens_per_s);
}

TEST(Measure, CachedPromptsHaveNoClientPrefillRate) {
  RequestRecord record = ExampleRequest();
  record.cached_tokens = 60;
  EXPECT_FALSE(Measure(record).prefill_client_tokens_per_s);
  record.cached_tokens = 0;
  record.prompt_tokens = -1;
  EXPECT_FALSE(Measure(record).prefill_client_tokens_per_s);
}

// llama-server reports 0.001 ms for what it did not time.
TEST(Measure, NoTimingsNoServerRate) {
  RequestRecord record = ExampleRequest();
  record.timings->prompt_n = 0;
  EXPECT_FALSE(Measure(record).prefill_tokens_per_s);
  record.timings.reset();
  EXPECT_FALSE(Measure(record).prefill_tokens_per_s);
}

}  // namespace
}  // namespace harness
