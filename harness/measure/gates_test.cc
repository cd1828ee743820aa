// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/gates.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "harness/measure/clock_reconciliation.h"
#include "harness/measure/test_times.h"

namespace harness {
namespace {

RequestRecord Request(std::int64_t due_ms, std::int64_t lag_ms, std::int64_t ttft_ms) {
  RequestRecord r;
  r.outcome = "ok";
  r.tokens = 11;
  r.prompt_tokens = 20;
  r.cached_tokens = 0;
  r.scheduled_ns = 1000 * kMs + due_ms * kMs;
  r.sent_ns = r.scheduled_ns + lag_ms * kMs;
  r.first_byte_ns = r.sent_ns + 2 * kMs;
  r.first_token_ns = r.sent_ns + ttft_ms * kMs;
  r.last_token_ns = r.first_token_ns + 100 * kMs;
  r.finished_ns = r.last_token_ns + kMs;
  r.chunks = {{r.first_token_ns, 1, false}, {r.last_token_ns, 10, false}};
  r.timings = rocm::Timings{0, 20, static_cast<double>(ttft_ms - 2), 11, 99.5};
  return r;
}

std::vector<RequestRecord> Arrivals(int n, std::int64_t lag_ms, double growth_ms) {
  std::vector<RequestRecord> records;
  for (int i = 0; i < n; ++i) {
    records.push_back(Request(i * 10, lag_ms, 20 + static_cast<std::int64_t>(growth_ms * i)));
  }
  return records;
}

std::map<std::string, Finding> Judged(const std::vector<RequestRecord>& records, GateInput input) {
  StagePlan plan;
  plan.fixed_output_tokens = input.fixed_output_tokens;
  std::map<std::string, Finding> findings;
  for (const Verdict& v : JudgeGates(Summarise(records, plan), records, input)) {
    EXPECT_EQ(v.kind, VerdictKind::kGate);
    EXPECT_FALSE(v.reason.empty());
    findings[v.metric] = v.finding;
  }
  return findings;
}

GateInput Open() {
  GateInput input;
  input.open_loop = true;
  input.busiest_thread_share = 0.3;
  input.fixed_output_tokens = 11;
  return input;
}

TEST(Gates, AHealthyStagePassesAllOfThem) {
  for (const auto& [metric, finding] : Judged(Arrivals(100, 0, 0), Open())) {
    EXPECT_EQ(finding, Finding::kPass) << metric;
  }
  EXPECT_EQ(Judged(Arrivals(100, 0, 0), Open()).size(), 6U);
}

TEST(Gates, LateSends) {
  EXPECT_EQ(Judged(Arrivals(100, 6, 0), Open()).at("schedule_lag_ms.p99"), Finding::kInvalid);
  GateInput closed = Open();
  closed.open_loop = false;
  EXPECT_FALSE(Judged(Arrivals(100, 6, 0), closed).contains("schedule_lag_ms.p99"));
}

TEST(Gates, ShortfallOfTheRate) {
  auto records = Arrivals(100, 0, 0);
  // Three of the hundred leave only after the window.
  for (int i = 50; i < 53; ++i) records[static_cast<std::size_t>(i)].sent_ns += 2000 * kMs;
  EXPECT_EQ(Judged(records, Open()).at("sent_rate_shortfall"), Finding::kInvalid);
}

TEST(Gates, TheClientsOwnSaturation) {
  GateInput input = Open();
  input.busiest_thread_share = 0.9;
  EXPECT_EQ(Judged(Arrivals(100, 0, 0), input).at("client_cpu_share"), Finding::kInvalid);
  input.timing_judged = false;
  EXPECT_EQ(Judged(Arrivals(100, 0, 0), input).at("client_cpu_share"), Finding::kWarning);
  input.busiest_thread_share.reset();
  EXPECT_FALSE(Judged(Arrivals(100, 0, 0), input).contains("client_cpu_share"));
}

TEST(Gates, ClocksThatDisagree) {
  auto records = Arrivals(100, 0, 0);
  for (auto& record : records) record.timings->predicted_ms = 90;  // 11 % less than we saw
  EXPECT_EQ(Judged(records, Open()).at("clock_residual_share"), Finding::kInvalid);
}

TEST(Gates, CachedTokensAndLengths) {
  auto records = Arrivals(100, 0, 0);
  records[3].cached_tokens = 1;
  records[4].tokens = 10;
  GateInput input = Open();
  input.timing_judged = false;  // counts are judged all the same
  auto findings = Judged(records, input);
  EXPECT_EQ(findings.at("cached_requests"), Finding::kInvalid);
  EXPECT_EQ(findings.at("length_mismatches"), Finding::kInvalid);
  input.caching_expected = true;
  input.fixed_output_tokens = 0;
  findings = Judged(records, input);
  EXPECT_FALSE(findings.contains("cached_requests"));
  EXPECT_FALSE(findings.contains("length_mismatches"));
}

Saturation Detect(const std::vector<RequestRecord>& records) {
  return DetectSaturation(Summarise(records, {}), records);
}

TEST(Saturation, SteadyWaitingIsNotSaturation) {
  const Saturation s = Detect(Arrivals(100, 0, 0));
  EXPECT_FALSE(s.saturated);
  EXPECT_NEAR(s.ttft_growth, 1, 1e-9);
}

TEST(Saturation, GrowingWaitingThatFallsBehindIs) {
  const Saturation s = Detect(Arrivals(100, 0, 8));
  EXPECT_TRUE(s.saturated);
  EXPECT_GT(s.ttft_growth, 2);
  EXPECT_LT(s.completed_share, 0.95);
}

TEST(Clocks, ByHand) {
  const RequestClocks clocks = *Reconcile(Request(0, 3, 22));
  EXPECT_EQ(clocks.client_ms, 3);
  EXPECT_EQ(clocks.queue_ms, 2);
  EXPECT_EQ(clocks.prefill_residual_ms, 0);
  EXPECT_EQ(clocks.decode_residual_ms, 0.5);
  RequestRecord record = Request(0, 3, 22);
  record.outcome = "stalled";
  EXPECT_FALSE(Reconcile(record));
  record = Request(0, 3, 22);
  record.timings.reset();
  EXPECT_FALSE(Reconcile(record));
}

TEST(Clocks, CountersAccountForEveryToken) {
  const auto records = Arrivals(10, 0, 0);
  const ServerCounters before{1000, 1, 500, 2};
  ServerCounters after{1200, 2, 610, 3};
  StageClocks clocks = ReconcileStage(records, before, after);
  EXPECT_EQ(clocks.prompt_tokens_unexplained, 0);
  EXPECT_EQ(clocks.predicted_tokens_unexplained, 0);
  EXPECT_NEAR(clocks.decode_residual_share, 0.5 / 99.5, 1e-12);
  after.predicted_tokens += 11;  // somebody else's request
  clocks = ReconcileStage(records, before, after);
  EXPECT_EQ(clocks.predicted_tokens_unexplained, 11);
  EXPECT_FALSE(ReconcileStage(records, std::nullopt, after).predicted_tokens_unexplained);
}

}  // namespace
}  // namespace harness
