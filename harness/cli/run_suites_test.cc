// SPDX-License-Identifier: EUPL-1.2
// Whole suites against the mock, and what must make them fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json RunJson(int code, std::vector<std::string> arguments, const ScratchFolder& folder) {
  arguments.insert(arguments.begin(), "run");
  arguments.insert(arguments.end(), {"--out", folder.At(""), "--json", "--quiet"});
  BenchProcess bench(arguments);
  EXPECT_EQ(bench.Wait(std::chrono::seconds(120)), code) << bench.err() << bench.out();
  return json::parse(bench.out(), nullptr, false);
}

TEST(Suites, CiHoldsOnTheMock) {
  const ScratchFolder folder;
  const json result =
      RunJson(0, {SourcePath("scenarios/suites/ci.txt"), "--target", "mock"}, folder);
  ASSERT_TRUE(result.is_object());
  EXPECT_EQ(result["status"], "valid");
  int judged = 0;
  for (const json& stage : result["stages"]) {
    for (const json& verdict : stage["verdicts"]) {
      if (verdict["kind"] != "expectation") continue;
      EXPECT_EQ(verdict["finding"], "pass") << verdict.dump();
      ++judged;
    }
  }
  EXPECT_GE(judged, 60);
  const auto lines = ReadLines(folder.RunFile());
  EXPECT_EQ(lines.front()["type"], "header");
  EXPECT_EQ(lines.back()["type"], "end");
  EXPECT_EQ(lines.back()["status"], "valid");
}

TEST(Suites, SmokeReportsIdsAndExactCounts) {
  const ScratchFolder folder;
  RunJson(0, {SourcePath("scenarios/suites/smoke.txt"), "--target", "mock"}, folder);
  const auto requests = OfType(ReadLines(folder.RunFile()), "request");
  ASSERT_EQ(requests.size(), 5u + 30u + 40u + 40u);
  for (const json& request : requests) {
    EXPECT_EQ(request["outcome"], "ok");
    EXPECT_EQ(request["token_source"], "ids");
    EXPECT_EQ(request["cached_tokens"], 0);
    const int wanted = request["scenario"] == "decode" ? 128
                       : request["scenario"] == "ttft" ? 1
                                                       : 32;
    EXPECT_EQ(request["tokens"], wanted);
    int seen = 0;
    std::int64_t before = request["sent_ns"];
    for (const json& chunk : request["chunks"]) {
      seen += chunk[1].get<int>();
      EXPECT_GE(chunk[0].get<std::int64_t>(), before);
      before = chunk[0];
    }
    EXPECT_EQ(seen, wanted);
  }
}

// Every record but for its times.
std::multiset<std::string> Normalised(const std::string& file) {
  std::multiset<std::string> records;
  for (json request : OfType(ReadLines(file), "request")) {
    json kept{{"chunks", json::array()}};
    for (const char* key :
         {"scenario", "variant", "round", "stage", "index", "outcome", "finish_reason", "tokens",
          "token_source", "prompt_tokens", "cached_tokens", "text_sha256"}) {
      kept[key] = request[key];
    }
    // Two conversations on two slots: which one finds the other's prefix is a matter of
    // microseconds.
    if (request["scenario"] == "conversation") kept.erase("cached_tokens");
    for (const json& chunk : request["chunks"]) kept["chunks"].push_back(chunk[1]);
    records.insert(kept.dump());
  }
  return records;
}

TEST(Suites, TheSameSeedGivesTheSameRun) {
  const ScratchFolder first, second;
  const std::string ci = SourcePath("scenarios/ci/");
  const std::vector<std::string> arguments{ci + "exact_native.json", ci + "open_loop.json",
                                           ci + "conversation.json", "--target", "mock"};
  RunJson(0, arguments, first);
  RunJson(0, arguments, second);
  const auto records = Normalised(first.RunFile());
  EXPECT_GT(records.size(), 150u);
  EXPECT_EQ(records, Normalised(second.RunFile()));
}

struct Planted {
  std::string name;
  std::vector<std::string> server_args;  // FAULTS stands for the file with `faults`
  std::string faults;
  std::string reason;
};

class PlantedFault : public ::testing::TestWithParam<Planted> {};

TEST_P(PlantedFault, TurnsTheSuiteRed) {
  const ScratchFolder folder;
  const std::string faults = folder.Write("faults.json", GetParam().faults);
  std::vector<std::string> arguments{SourcePath("scenarios/ci/exact_native.json"), "--target",
                                     "mock"};
  for (const std::string& argument : GetParam().server_args) {
    arguments.push_back("--server-arg=" + (argument == "FAULTS" ? faults : argument));
  }
  const json result = RunJson(1, arguments, folder);
  std::string failed;
  for (const json& stage : result["stages"]) {
    for (const json& verdict : stage["verdicts"]) {
      if (verdict["finding"] == "fail") failed += verdict["reason"].get<std::string>() + "\n";
    }
  }
  EXPECT_THAT(failed, HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Each, PlantedFault,
    ::testing::Values(Planted{"wrong_token",
                              {"--mock-faults", "FAULTS"},
                              R"({"rules": [{"when": {"endpoint": "/completion"}, "times": 1,
                     "fault": {"type": "wrong-token", "token": 1, "text": " w999", "id": 1264}}]})",
                              "answers are wrong"},
                      Planted{"lost_stream",
                              {"--mock-faults", "FAULTS"},
                              R"({"rules": [{"when": {"endpoint": "/completion"}, "times": 1,
                     "fault": {"type": "end", "token": 1, "how": "reset"}}]})",
                              "requests_failed is 1"}),
    [](const auto& test) { return test.param.name; });

TEST(PlantedSlowness, RunsIntoTheDeadline) {
  const ScratchFolder folder;
  const std::string file = folder.Write("slow.json", R"({
    "schema": 1, "name": "slow", "why": "A server that is far too slow.", "kind": "load",
    "timing": "unjudged", "server": {"slots": 2, "context_per_slot": 256,
      "args": ["--mock-ttft-ms", "5000"]},
    "workload": {"api": "native", "prompt": {"text": "Hello"}, "output_tokens": {"fixed": 2},
                 "deadline_ms": 500},
    "stages": [{"name": "s", "closed_loop": {"concurrency": 2}, "requests": 2}],
    "expect": [{"metric": "outcomes.deadline_exceeded", "op": "==", "value": 0}]})");
  RunJson(1, {file, "--target", "mock"}, folder);
  for (const json& request : OfType(ReadLines(folder.RunFile()), "request")) {
    EXPECT_EQ(request["outcome"], "deadline_exceeded");
  }
}

TEST(LoadThreads, ShareTheStreamsAndLoseNone) {
  const ScratchFolder folder;
  RunJson(0,
          {SourcePath("scenarios/ci/exact_native.json"), SourcePath("scenarios/ci/open_loop.json"),
           "--target", "mock", "--load-threads", "3"},
          folder);
  std::map<std::string, std::set<int>> indices;
  for (const json& request : OfType(ReadLines(folder.RunFile()), "request")) {
    EXPECT_TRUE(
        indices[request["stage"].get<std::string>()].insert(request["index"].get<int>()).second);
  }
  EXPECT_EQ(indices["exact"].size(), 40u);
  EXPECT_EQ(indices["poisson"].size(), 30u);
  EXPECT_EQ(*indices["poisson"].rbegin(), 29);
}

TEST(Rounds, AreSummarisedTogether) {
  const ScratchFolder folder;
  RunJson(0, {SourcePath("scenarios/ci/rounds.json"), "--target", "mock"}, folder);
  const auto lines = ReadLines(folder.RunFile());
  std::set<int> rounds;
  for (const json& summary : OfType(lines, "summary")) rounds.insert(summary["round"].get<int>());
  EXPECT_EQ(rounds, (std::set<int>{-1, 0, 1, 2}));
  int started = 0;
  for (const json& event : OfType(lines, "event")) {
    if (event["event"] == "server_started") ++started;
  }
  EXPECT_EQ(started, 3);
}

TEST(OpenLoop, BeyondWhatTheServerCanDoIsNamed) {
  const ScratchFolder folder;
  // Two slots of 100 ms a request serve 20 a second; 80 come.
  const std::string file = folder.Write("overload.json", R"({
    "schema": 1, "name": "overload", "why": "A rate that cannot be served.", "kind": "load",
    "timing": "unjudged", "server": {"slots": 2, "context_per_slot": 256,
      "args": ["--mock-ttft-ms", "50", "--mock-token-ms", "50", "--mock-jitter", "none"]},
    "workload": {"api": "native", "prompt": {"text": "Hello"}, "output_tokens": {"fixed": 2}},
    "stages": [{"name": "over", "open_loop": {"constant_rate_per_s": 80}, "duration_s": 3}],
    "slo": {"ttft_ms": 200},
    "expect": [{"metric": "requests_failed", "op": "==", "value": 0}]})");
  const json result = RunJson(0, {file, "--target", "mock"}, folder);
  const json& stage = result["stages"][0];
  EXPECT_EQ(stage["saturated"], true);
  EXPECT_EQ(stage["requests"], 240);
  EXPECT_LT(stage["metrics"]["goodput_ratio"].get<double>(), 0.3);
  // The last request was due at 3 s and served at 12 s.
  EXPECT_GT(stage["metrics"]["ttft_ms"]["p99"]["value"].get<double>(), 5'000);
}

TEST(OpenLoop, BelowSaturationTheOfferedRateIsKept) {
  const ScratchFolder folder;
  const std::string file = folder.Write("calm.json", R"({
    "schema": 1, "name": "calm", "why": "A rate that can be served.", "kind": "load",
    "timing": "unjudged", "server": {"slots": 8, "context_per_slot": 256,
      "args": ["--mock-ttft-ms", "10", "--mock-token-ms", "10", "--mock-jitter", "none"]},
    "workload": {"api": "native", "prompt": {"text": "Hello"}, "output_tokens": {"fixed": 4}},
    "stages": [{"name": "calm", "open_loop": {"constant_rate_per_s": 100}, "duration_s": 4}],
    "expect": [{"metric": "requests", "op": "==", "value": 400}]})");
  const json result = RunJson(0, {file, "--target", "mock"}, folder);
  const json& metrics = result["stages"][0]["metrics"];
  EXPECT_EQ(result["stages"][0]["saturated"], false);
  EXPECT_NEAR(metrics["sent_requests_per_s"].get<double>() /
                  metrics["offered_requests_per_s"].get<double>(),
              1.0, 0.01);
}

}  // namespace
}  // namespace harness::testing
