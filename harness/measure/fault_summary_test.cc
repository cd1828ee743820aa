// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/fault_summary.h"

#include <gtest/gtest.h>

#include "harness/measure/test_times.h"

namespace harness {
namespace {

// A stream from `begin` on whose first token came 10 ms later and then one each `step` ms.
RequestRecord Stream(std::int64_t begin, int tokens, std::int64_t step, const std::string& outcome,
                     std::int64_t finished) {
  RequestRecord record;
  record.outcome = outcome;
  record.connect_ns = record.scheduled_ns = record.sent_ns = begin * kMs;
  for (int i = 0; i < tokens; ++i) {
    record.chunks.push_back({(begin + 10 + i * step) * kMs, 1, false});
  }
  record.tokens = tokens;
  if (tokens > 0) {
    record.first_token_ns = record.chunks.front().at_ns;
    record.last_token_ns = record.chunks.back().at_ns;
  }
  record.finished_ns = finished * kMs;
  return record;
}

Injection Crash() {
  Injection crash;
  crash.injected_ns = 1'000 * kMs;
  crash.detected_ns = 1'002 * kMs;
  crash.healthy_ns = 1'050 * kMs;
  crash.struck = {Stream(100, 20, 10, "ok", 300),                      // over before
                  Stream(700, 20, 10, "server_exited", 1'003),         // 20 tokens lost
                  Stream(995, 0, 10, "server_exited", 1'005),          // in prefill
                  Stream(1'010, 0, 10, "connection_refused", 1'011)};  // came later
  crash.after = {Stream(1'060, 20, 20, "ok", 1'460),   // slow: not the steady rate yet
                 Stream(1'100, 20, 11, "ok", 1'330)};  // 91 % of it
  return crash;
}

TEST(FaultSummary, TimesRunFromTheInjection) {
  const Injection crash = Crash();
  const StageSummary summary = SummariseFaults({&crash, 1}, "s", "v");
  EXPECT_EQ(summary.stage, "recovery");
  EXPECT_EQ(summary.round, kAllRounds);
  EXPECT_EQ(summary.requests, 1);
  EXPECT_EQ(summary.requests_ok, 1);
  const auto value = [&](const char* path) { return FindStatistic(summary, path)->value; };
  EXPECT_EQ(value("detection_ms.max"), 2);
  EXPECT_EQ(value("healthy_ms.p50"), 50);
  EXPECT_EQ(value("recovery_ms.p50"), 70);
  EXPECT_EQ(value("steady_ms.p50"), 1'100 + 10 + 19 * 11 - 1'000);
  EXPECT_EQ(value("told_ms.n"), 2);
  EXPECT_EQ(value("told_ms.min"), 3);
  EXPECT_EQ(value("told_ms.max"), 5);
  EXPECT_EQ(value("tokens_lost.max"), 20);
  EXPECT_EQ(value("tokens_lost_total"), 20);
  EXPECT_EQ(value("streams_struck"), 2);
  EXPECT_EQ(value("struck_server_exited"), 2);
  EXPECT_EQ(value("not_recovered"), 0);
}

TEST(FaultSummary, WhatNeverCameIsNoZero) {
  Injection crash = Crash();
  crash.after.clear();
  crash.healthy_ns.reset();
  crash.detected_ns.reset();
  crash.moment_hit = false;
  crash.process_left = true;
  const StageSummary summary = SummariseFaults({&crash, 1}, "s", "");
  EXPECT_FALSE(FindStatistic(summary, "recovery_ms.p50"));
  EXPECT_FALSE(FindStatistic(summary, "healthy_ms.p50"));
  EXPECT_FALSE(FindStatistic(summary, "steady_ms.p50"));
  EXPECT_FALSE(FindStatistic(summary, "vram_released_ms"));
  EXPECT_EQ(summary.counts.at("not_recovered"), 1);
  EXPECT_EQ(summary.counts.at("moment_missed"), 1);
  EXPECT_EQ(summary.counts.at("processes_left"), 1);
  EXPECT_EQ(summary.requests_failed, 1);
  EXPECT_EQ(summary.outcomes.at("not_recovered"), 1);
}

TEST(FaultSummary, ARefusedRestartIsThePolicysDecision) {
  Injection crash = Crash();
  crash.after.clear();
  crash.policy_refused = true;
  const StageSummary summary = SummariseFaults({&crash, 1}, "s", "");
  EXPECT_EQ(summary.counts.at("policy_refused"), 1);
  EXPECT_EQ(summary.counts.at("not_recovered"), 0);
}

TEST(FaultSummary, AnAnswerThatWasCompleteLosesNothing) {
  Injection crash = Crash();
  crash.struck = {Stream(900, 10, 10, "ok", 1'001)};  // read a moment after the server's death
  const StageSummary summary = SummariseFaults({&crash, 1}, "s", "");
  EXPECT_EQ(summary.counts.at("struck_ok"), 1);
  EXPECT_EQ(summary.counts.at("tokens_lost_total"), 0);
  EXPECT_FALSE(FindStatistic(summary, "told_ms.p50"));
}

TEST(FaultSummary, NoSteadyRateWithoutARateBefore) {
  Injection crash = Crash();
  crash.struck = {Stream(700, 5, 10, "server_exited", 1'003)};
  EXPECT_FALSE(SteadyAfter(crash));
  crash = Crash();
  crash.after = {Stream(1'060, 20, 20, "ok", 1'460)};
  EXPECT_FALSE(SteadyAfter(crash)) << "it never came back to it";
}

TEST(FaultSummary, NothingIsFine) {
  const StageSummary summary = SummariseFaults({}, "s", "");
  EXPECT_EQ(summary.requests, 0);
  EXPECT_TRUE(summary.distributions.empty());
}

}  // namespace
}  // namespace harness
