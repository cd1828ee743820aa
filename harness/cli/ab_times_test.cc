// SPDX-License-Identifier: EUPL-1.2
// Comparisons that judge times, from end to end: servers of the mock whose speed is planted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "backend/base/testing/soak.h"
#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;

// These stages last 80 ms: a machine that stands still for 4 ms spoils a round, as it should. Where
// that happens more often than there are spare rounds the comparison is invalid; its verdicts have
// to stand even that.
bool OnlyTheMachineStalled(const json& result) {
  for (const json& reason : result.value("reasons", json::array())) {
    if (reason.get<std::string>().find("disagree on the decode time") == std::string::npos) {
      return false;
    }
  }
  return result.is_object();
}

// The result, and what was on the terminal where the exit code is another one.
json Compare(int code, std::vector<std::string> arguments, const ScratchFolder& folder) {
  arguments.insert(arguments.begin(), "run");
  arguments.insert(arguments.end(),
                   {"--target", "mock", "--out", folder.At("runs"), "--json", "--quiet"});
  BenchProcess bench(arguments);
  const int seen = bench.Wait(std::chrono::seconds(280));
  json result = json::parse(bench.out(), nullptr, false);
  EXPECT_TRUE(seen == code || (seen == 4 && code == 0 && OnlyTheMachineStalled(result)))
      << seen << bench.err() << bench.out().substr(0, 2'000);
  return result;
}

json Verdict(const json& result, const std::string& metric, const std::string& variant = "") {
  for (const json& comparison : result.value("comparisons", json::array())) {
    if (comparison["metric"] != metric) continue;
    if (comparison["variant"].get<std::string>().starts_with(variant)) return comparison;
  }
  ADD_FAILURE() << "no verdict on " << metric << " of " << variant << ": " << result.dump(1);
  return json::object();
}

// A build of the mock that takes `token_ms` a token, give or take 3 % from start to start: the
// noise between sessions that a comparison of two single runs mistakes for an effect. `more` may
// use the number of the start, $n.
std::string Build(const ScratchFolder& folder, const std::string& name, double token_ms, int salt,
                  const std::string& more = "") {
  const char* bin = std::getenv("ROCM_TEST_BIN_DIR");
  const std::string count = folder.Write(name + ".count", "0");
  const std::string path = folder.Write(
      name, "#!/bin/sh\ncase $1 in --version|--help) exec " + std::string(bin) +
                "/mock-llama-server $1 ;; esac\nread n < " + count + "\nn=$((n + 1))\necho $n > " +
                count + "\nms=$(awk -v n=$n 'BEGIN { srand(" + std::to_string(salt) +
                " + n); print " + std::to_string(token_ms) +
                " * (1 + 0.06 * (rand() - 0.5)) }')\n" + "exec " + bin +
                "/mock-llama-server \"$@\" --mock-ttft-ms 2 --mock-token-ms $ms" +
                " --mock-jitter lognormal:0.05 --mock-seed $n " + more + "\n");
  EXPECT_EQ(::chmod(path.c_str(), 0700), 0);
  return path;
}

constexpr char kBuilds[] = R"({
  "schema": 1, "name": "builds", "why": "Two builds.", "kind": "ab",
  "server": {"slots": 1, "context_per_slot": 256},
  "workload": {"api": "native", "prompt": {"synthetic_tokens": 8}, "output_tokens": {"fixed": 20}},
  "stages": [
    {"name": "warm-up", "closed_loop": {"concurrency": 1}, "requests": 1, "record": false},
    {"name": "s", "closed_loop": {"concurrency": 1}, "requests": 2}],
  "ab": {"variants": [{"name": "old", "binding": "old"}, {"name": "new", "binding": "new"}],
         "metrics": ["decode_tokens_per_s.p50", "e2e_ms.p50"]}})";

TEST(Comparison, OneBuildAgainstItselfRaisesNoAlarm) {
  for (int i = 0; i < rocm::QuickOrFull(1, 5); ++i) {
    const ScratchFolder folder;
    const json result = Compare(
        0,
        {folder.Write("s.json", kBuilds), "--variant", "old=" + Build(folder, "a", 3, 1'000 * i),
         "--variant", "new=" + Build(folder, "b", 3, 1'000 * i + 500)},
        folder);
    for (const char* metric : {"decode_tokens_per_s.p50", "e2e_ms.p50"}) {
      const json verdict = Verdict(result, metric);
      EXPECT_THAT(verdict["finding"], AnyOf(Eq("no_change"), Eq("insufficient_data")));
      EXPECT_NEAR(verdict["observed"].get<double>(), 1, 0.05) << verdict.dump();
      RecordProperty(metric, verdict["reason"].get<std::string>());
    }
    EXPECT_EQ(Verdict(result, "answers_differing")["finding"], "no_change");
  }
}

TEST(Comparison, TenPerCentAreCaught) {
  for (int i = 0; i < rocm::QuickOrFull(1, 5); ++i) {
    const ScratchFolder folder;
    // Slower for odd ones: then it is a regression, and the exit code says so.
    const bool slower = i % 2 == 1;
    const double b = slower ? 3 * 1.1 : 3 / 1.1;
    const json result = Compare(
        slower ? 1 : 0,
        {folder.Write("s.json", kBuilds), "--variant", "old=" + Build(folder, "a", 3, 1'000 * i),
         "--variant", "new=" + Build(folder, "b", b, 1'000 * i + 500)},
        folder);
    const json verdict = Verdict(result, "decode_tokens_per_s.p50");
    EXPECT_EQ(verdict["finding"], slower ? "regression" : "improvement") << verdict.dump();
    EXPECT_LT(verdict["low"].get<double>(), slower ? 1 / 1.1 : 1.1);
    EXPECT_GT(verdict["high"].get<double>(), slower ? 1 / 1.1 : 1.1);
    EXPECT_EQ(verdict["n"], 20) << "ten rounds, and ten that confirm";
    RecordProperty("verdict", verdict["reason"].get<std::string>());
  }
}

TEST(Comparison, ARoundThatStoodStillIsMeasuredAgain) {
  const ScratchFolder folder;
  // The mock's own clock does not see this: to the harness it is a client that stood still.
  const std::string stall = folder.Write("stall.json", R"({"rules": [{"fault":
    {"type": "stall", "token": 9, "ms": 300}}]})");
  const json result =
      Compare(0,
              {folder.Write("s.json", kBuilds), "--rounds", "6", "--variant",
               "old=" + Build(folder, "a", 3, 1), "--variant",
               "new=" + Build(folder, "b", 3, 501,
                              "$([ $n -ne 4 ] || echo --mock-faults '" + stall + "')")},
              folder);
  EXPECT_THAT(Verdict(result, "decode_tokens_per_s.p50")["finding"],
              AnyOf(Eq("no_change"), Eq("insufficient_data")));
  const std::vector<json> lines = ReadLines(result["file"]);
  bool replaced = false;
  for (const json& event : OfType(lines, "event")) {
    if (event["event"] != "round_set_aside" || event["round"] != 3) continue;
    replaced = true;
    EXPECT_EQ(event["variant"], "new");
    EXPECT_THAT(event["detail"]["reason"].get<std::string>(), HasSubstr("disagree"));
    EXPECT_GE(event["detail"]["replaced_by"], 6);
  }
  EXPECT_TRUE(replaced);
  int requests = 0;
  for (const json& request : OfType(lines, "request")) requests += request["round"] == 3 ? 1 : 0;
  EXPECT_EQ(requests, 4) << "its requests stay in the run file";
  for (const json& summary : OfType(lines, "summary")) EXPECT_NE(summary["round"], 3);
}

// The mock's step takes 2 ms and 0.061 µs a token of context. With flash attention the attention's
// share shrinks by 0.4183 · c / (c + 8192), and the rest grows by 0.00653 · 8192 / (c + 8192): at
// 2048 tokens both cancel out, at 32768 a step takes 4.0 ms without and 3.33 ms with it.
TEST(FlashAttention, PaysOnlyWhereItWasPlanted) {
  const ScratchFolder folder;
  const std::string scenario = folder.Write("fa.json", R"({
    "schema": 1, "name": "fa", "why": "A planted effect.", "kind": "ab",
    "server": {"slots": 1, "context_per_slot": 33792, "args": [
      "--mock-model", "step_ms=2", "--mock-model", "step_sequence_ms=0",
      "--mock-model", "step_context_us=0.061", "--mock-model", "flash_gain=0.4183",
      "--mock-model", "flash_cost=0.00653", "--mock-model", "flash_half_context=8192",
      "--mock-model", "prefill_base_ms=0", "--mock-model", "prefill_small_token_ms=0",
      "--mock-model", "prefill_token_ms=0", "--mock-jitter", "lognormal:0.05"]},
    "workload": {"api": "native", "prompt": {"synthetic_tokens": 1, "depth": 2048},
                 "output_tokens": {"fixed": 24}, "cache_prompt": true},
    "stages": [{"name": "decode", "closed_loop": {"concurrency": 1}, "requests": 2}],
    "sweep": {"parameter": "depth", "values": [2048, 32768]},
    "ab": {"variants": [{"name": "off", "server": {"flash_attention": "off"}},
                        {"name": "on", "server": {"flash_attention": "on"}}],
           "metrics": ["decode_tokens_per_s.p50"]}})");
  const json result = Compare(0, {scenario}, folder);
  const json near =
      Verdict(result, "decode_tokens_per_s.p50", "depth=2048,on against depth=2048,off");
  EXPECT_THAT(near["finding"], AnyOf(Eq("no_change"), Eq("insufficient_data"))) << near.dump();
  const json far =
      Verdict(result, "decode_tokens_per_s.p50", "depth=32768,on against depth=32768,off");
  EXPECT_EQ(far["finding"], "improvement") << far.dump();
  EXPECT_NEAR(far["observed"].get<double>(), 1.2, 0.03);
  RecordProperty("at_2048", near["reason"].get<std::string>());
  RecordProperty("at_32768", far["reason"].get<std::string>());
  // One server a round and side serves both depths.
  int started = 0, spoilt = 0;
  for (const json& event : OfType(ReadLines(result["file"]), "event")) {
    started += event["event"] == "server_started" ? 1 : 0;
    spoilt += event["event"] == "round_set_aside" ? 1 : 0;
  }
  EXPECT_GE(started, 40);
  EXPECT_LE(started, 40 + 2 * spoilt);
}

TEST(Garbage, IsNoWinHoweverFast) {
  const ScratchFolder folder;
  const std::string faults = folder.Write("faults.json", R"({"rules": [{"fault":
    {"type": "wrong-token", "token": 1, "tokens": -1, "id": 300, "text": " w035"}}]})");
  const std::string scenario = folder.Write("garbage.json", R"({
    "schema": 1, "name": "garbage", "why": "Fast and wrong.", "kind": "ab",
    "server": {"slots": 1, "context_per_slot": 256, "args": ["--mock-ttft-ms", "2"]},
    "workload": {"api": "native", "prompt": {"text": "Say something"}, "output_tokens": {"fixed": 32}},
    "stages": [{"name": "s", "closed_loop": {"concurrency": 1}, "requests": 2}],
    "ab": {"variants": [
      {"name": "right", "server": {"args": ["--mock-token-ms", "2"]}},
      {"name": "fast", "server": {"args": ["--mock-token-ms", "1", "--mock-faults", ")" +
                                                                faults + R"("]}}],
      "rounds": 5, "metrics": ["decode_tokens_per_s.p50"]}})");
  const json result = Compare(1, {scenario}, folder);
  const json speed = Verdict(result, "decode_tokens_per_s.p50");
  EXPECT_EQ(speed["finding"], "regression") << speed.dump();
  EXPECT_GT(speed["observed"].get<double>(), 1.5);
  EXPECT_THAT(speed["reason"].get<std::string>(),
              HasSubstr("no win: 20 of 20 answers of fast are garbage (one token over and over)"));
  EXPECT_EQ(Verdict(result, "answers_degenerate")["finding"], "regression");
  EXPECT_THAT(Verdict(result, "answers_differing")["reason"].get<std::string>(),
              HasSubstr("the first at token 0"));
}

}  // namespace
}  // namespace harness::testing
