// SPDX-License-Identifier: EUPL-1.2
// Ctrl-C and SIGKILL in every phase: data kept, no child left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <fstream>
#include <random>

#include "backend/base/clock.h"
#include "backend/base/testing/soak.h"
#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;

constexpr char kScenario[] = R"({
  "schema": 1, "name": "long", "why": "Runs until it is interrupted.", "kind": "load",
  "timing": "unjudged", "server": {"slots": 4, "context_per_slot": 1024},
  "workload": {"api": "native", "prompt": {"text": "Hello"}, "output_tokens": {"fixed": 400}},
  "stages": [
    {"name": "warm-up", "closed_loop": {"concurrency": 4}, "requests": 4, "record": false},
    {"name": "timed", "closed_loop": {"concurrency": 4}, "duration_s": 60}]})";

struct Phase {
  std::string name;
  std::vector<std::string> server_args;
  std::string reached;  // a text in the run file that shows that the phase has begun
};

class Interrupt : public ::testing::TestWithParam<std::tuple<Phase, int>> {};

std::vector<std::string> Arguments(const ScratchFolder& folder, const Phase& phase) {
  std::vector<std::string> arguments{
      "run",    folder.Write("long.json", kScenario), "--target", "mock", "--out", folder.At(""),
      "--quiet"};
  for (const std::string& argument : phase.server_args) {
    arguments.push_back("--server-arg=" + argument);
  }
  return arguments;
}

bool Holds(const std::string& file, const std::string& text) {
  if (file.empty()) return false;
  for (const json& line : ReadLines(file)) {
    if (line.dump().find(text) != std::string::npos) return true;
  }
  return false;
}

TEST_P(Interrupt, KeepsTheDataAndLeavesNoChild) {
  const auto& [phase, signal] = GetParam();
  const ScratchFolder folder;
  BenchProcess bench(Arguments(folder, phase));
  ASSERT_TRUE(Eventually([&] {
    return Holds(folder.RunFile(), phase.reached) && !bench.Children().empty();
  })) << phase.name;
  const auto children = bench.Children();
  const rocm::TimePoint begin = rocm::Now();
  bench.Signal(signal);
  EXPECT_EQ(bench.Wait(), 130) << bench.err();
  EXPECT_LT(rocm::Now() - begin, std::chrono::seconds(5));
  for (const pid_t child : children) EXPECT_FALSE(IsAlive(child));
  const auto lines = ReadLines(folder.RunFile());
  EXPECT_EQ(lines.back()["type"], "end");
  EXPECT_EQ(lines.back()["status"], "partial");
  EXPECT_EQ(lines.back()["reasons"][0], "interrupted");
}

INSTANTIATE_TEST_SUITE_P(
    Each, Interrupt,
    ::testing::Combine(
        ::testing::Values(Phase{"load", {"--mock-load-ms", "30000"}, "\"type\":\"header\""},
                          Phase{"warm_up", {"--mock-token-ms", "50"}, "\"stage\":\"warm-up\""},
                          Phase{"prefill", {"--mock-ttft-ms", "20000"}, "\"stage\":\"warm-up\""},
                          Phase{"timed", {"--mock-token-ms", "1"}, "\"type\":\"request\""}),
        ::testing::Values(SIGINT, SIGTERM)),
    [](const auto& test) {
      return std::get<0>(test.param).name +
             (std::get<1>(test.param) == SIGINT ? "_SIGINT" : "_SIGTERM");
    });

TEST(SecondSignal, EndsAtOnce) {
  const ScratchFolder folder;
  BenchProcess bench(Arguments(folder, {"", {"--mock-token-ms", "50", "--mock-load-ms", "1"}, ""}));
  ASSERT_TRUE(Eventually([&] { return Holds(folder.RunFile(), "\"stage\":\"warm-up\""); }));
  const auto children = bench.Children();
  const rocm::TimePoint begin = rocm::Now();
  bench.Signal(SIGINT);
  bench.Signal(SIGTERM);
  EXPECT_EQ(bench.Wait(), 130);
  EXPECT_LT(rocm::Now() - begin, std::chrono::seconds(2));
  for (const pid_t child : children) EXPECT_FALSE(IsAlive(child));
}

// A limit on file sizes stands in for the full disk: the write fails in the same place.
TEST(FullDisk, EndsTheRunAndKeepsWhatWasWritten) {
  const ScratchFolder folder;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 128 << 10;
  const auto arguments = Arguments(folder, {"", {"--mock-token-ms", "0.2"}, ""});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  BenchProcess bench(arguments);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(bench.Wait(std::chrono::seconds(30)), 4) << bench.err();  // of 60 it was to run
  EXPECT_THAT(bench.out(), ::testing::HasSubstr("cannot write to " + folder.RunFile()));
  EXPECT_TRUE(bench.Children().empty());
  std::ifstream in(folder.RunFile());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  ASSERT_GT(lines.size(), 3u);
  for (std::size_t n = 0; n + 1 < lines.size(); ++n) {
    EXPECT_FALSE(json::parse(lines[n], nullptr, false).is_discarded()) << lines[n];
  }
}

constexpr char kShort[] = R"({
  "schema": 1, "name": "short", "why": "Two requests.", "kind": "load", "timing": "unjudged",
  "server": {"slots": 1, "context_per_slot": 256},
  "workload": {"api": "native", "prompt": {"text": "Hello"}, "output_tokens": {"fixed": 4}},
  "stages": [{"name": "timed", "closed_loop": {"concurrency": 1}, "requests": 2}]})";

// Requests are there, but their summary is not: what cannot be read later has not passed.
TEST(FullDisk, AfterTheLastRequestIsNoPass) {
  const ScratchFolder whole;
  const auto arguments = [](const ScratchFolder& folder) {
    return std::vector<std::string>{
        "run",    folder.Write("short.json", kShort), "--target", "mock", "--out", folder.At(""),
        "--quiet"};
  };
  BenchProcess first(arguments(whole));
  ASSERT_EQ(first.Wait(), 0) << first.err();
  const std::string text = ReadAll(whole.RunFile());
  const std::size_t summary = text.find(R"({"type":"summary")");
  ASSERT_NE(summary, std::string::npos);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = summary + (text.find('\n', summary) - summary) / 2;
  const ScratchFolder folder;
  const auto again = arguments(folder);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  BenchProcess bench(again);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(bench.Wait(), 4) << bench.err();
  EXPECT_THAT(bench.out(), ::testing::HasSubstr("cannot write to " + folder.RunFile()));
}

// A server that lives and refuses everything: each failure is recorded, and none waits for a death.
TEST(Refusals, EndWithTheStage) {
  const ScratchFolder folder;
  const std::string faults =
      folder.Write("faults.json", R"({"rules": [{"fault": {"type": "status", "code": 500}}]})");
  std::string scenario = kShort;
  scenario.replace(scenario.find("\"requests\": 2"), 13, "\"requests\": 400");
  scenario.replace(scenario.find("\"concurrency\": 1"), 16, "\"concurrency\": 64");
  BenchProcess bench({"run", folder.Write("s.json", scenario), "--target", "mock", "--out",
                      folder.At(""), "--quiet", "--server-arg=--mock-faults",
                      "--server-arg=" + faults});
  // Fifty milliseconds for each would be twenty seconds.
  EXPECT_EQ(bench.Wait(std::chrono::seconds(15)), 1) << bench.err();
  EXPECT_EQ(OfType(ReadLines(folder.RunFile()), "request").size(), 400U);
}

TEST(Sigkill, AtRandomMomentsLosesAtMostTheLastLine) {
  std::mt19937 random(7);
  for (int i = 0; i < rocm::QuickOrFull(10, 200); ++i) {
    const ScratchFolder folder;
    BenchProcess bench(Arguments(folder, {"", {"--mock-token-ms", "0.2"}, ""}));
    const auto wait = std::chrono::milliseconds(20 + random() % 600);
    const rocm::TimePoint until = rocm::Now() + wait;
    ASSERT_TRUE(Eventually([&] { return rocm::Now() >= until; }));
    const auto children = bench.Children();
    bench.Signal(SIGKILL);
    EXPECT_EQ(bench.Wait(), 128 + SIGKILL);
    for (const pid_t child : children) {
      EXPECT_TRUE(Eventually([&] { return !IsAlive(child); })) << "round " << i;
    }
    const std::string file = folder.RunFile();
    if (file.empty()) continue;  // killed before there was one
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    for (std::size_t n = 0; n + 1 < lines.size(); ++n) {
      EXPECT_FALSE(json::parse(lines[n], nullptr, false).is_discarded()) << lines[n];
    }
  }
}

}  // namespace
}  // namespace harness::testing
