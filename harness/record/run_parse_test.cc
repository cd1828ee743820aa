// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_parse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace harness {
namespace {

using nlohmann::json;

// Whatever was written reads back and is written the same again.
TEST(RunParse, RequestsRoundTrip) {
  RequestRecord r;
  r.scenario = "s";
  r.variant = "v";
  r.round = 3;
  r.stage = "steady";
  r.index = 9;
  r.outcome = "ok";
  r.finish_reason = "length";
  r.tokens = 5;
  r.token_source = "ids";
  r.prompt_tokens = 7;
  r.scheduled_ns = 1;
  r.connect_ns = 2;
  r.sent_ns = 3;
  r.first_byte_ns = 4;
  r.first_token_ns = 5;
  r.first_answer_ns = 6;
  r.last_token_ns = 7;
  r.finished_ns = 8;
  r.http_status = 200;
  r.chunks = {{5, 1, false}, {7, 2, false}, {7, 2, true}};
  r.timings = rocm::Timings{1, 2, 3.5, 4, 5.25};
  r.text_sha256 = std::string(64, 'a');
  r.ids = {1, 2, 3};
  std::string line;
  AppendRequestLine(r, true, line);
  const RequestRecord back = ParseRequest(json::parse(line));
  std::string again;
  AppendRequestLine(back, true, again);
  EXPECT_EQ(again, line);
  EXPECT_TRUE(back.chunks[2].coalesced);
  EXPECT_FALSE(back.chunks[1].coalesced);
}

TEST(RunParse, SummariesRoundTrip) {
  StageSummary s;
  s.scenario = "s";
  s.stage = "steady";
  s.round = kAllRounds;
  s.window = {10, 20};
  s.requests = 4;
  s.requests_ok = 3;
  s.requests_failed = 1;
  s.outcomes = {{"ok", 3}, {"stalled", 1}};
  s.token_sources = {{"ids", 3}};
  s.distributions["ttft_ms"] = Describe(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8});
  s.values["throughput_tokens_per_s"] = 99.25;
  s.counts["length_mismatches"] = 2;
  s.rounds["ttft_ms.p50"] = {5, 1.5, 0.25, 1.25, 1.75, 0.04};
  const std::string line = SummaryLine(s, {}, "0123456789abcdef");
  EXPECT_EQ(SummaryLine(ParseSummary(json::parse(line)), {}, "0123456789abcdef"), line);
}

TEST(RunParse, VerdictsRoundTrip) {
  Verdict v;
  v.kind = VerdictKind::kComparison;
  v.finding = Finding::kInsufficientData;
  v.metric = "ttft_ms.p50";
  v.observed = 1.05;
  v.low = 0.9;
  v.smallest_effect = 0.04;
  v.n = 10;
  v.reason = "because";
  EXPECT_EQ(VerdictLine(ParseVerdict(json::parse(VerdictLine(v)))), VerdictLine(v));
}

TEST(RunParse, DamageGivesDefaults) {
  for (const char* text :
       {"{}", R"({"chunks":[1,[1],[1,"x"],[1,2,3]],"ids":["a"],"tokens":"7","timings":5})",
        R"({"metrics":{"ttft_ms":{"p50":5,"px":{"value":1},"p99":{}}},"values":{"a":null}})",
        R"({"kind":"none","finding":7,"reasons":[1,2],"detail":[]})"}) {
    const json line = json::parse(text);
    EXPECT_TRUE(ParseRequest(line).chunks.empty());
    EXPECT_EQ(ParseRequest(line).tokens, 0);
    const StageSummary summary = ParseSummary(line);
    EXPECT_FALSE(FindStatistic(summary, "ttft_ms.p50"));
    EXPECT_EQ(ParseVerdict(line).finding, Finding::kNotJudged);
    EXPECT_EQ(ParseEnd(line).status, RunStatus::kPartial);
    EXPECT_TRUE(ParseEnd(line).reasons.empty());
    EXPECT_TRUE(ParseEvent(line).detail.empty());
  }
}

}  // namespace
}  // namespace harness
