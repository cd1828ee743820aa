// SPDX-License-Identifier: EUPL-1.2
// Faults as scenarios, on the mock: every way to die or to hang, at every moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "backend/base/testing/soak.h"
#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Of each kind in CI, as many in the soak; an instrumented build repeats the code, not the count.
int Repeats(int ci) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return rocm::QuickOrFull(2, ci);
#else
  return rocm::QuickOrFull(ci, 100);
#endif
}

json ReadScenario(const std::string& name) {
  std::ifstream in(SourcePath("scenarios/" + name));
  return json::parse(in, nullptr, true, true);
}

struct Crashes {
  int code = -1;
  std::string out;
  std::string err;
  std::vector<json> lines;
  std::map<std::string, int> events;
  json recovery;  // the summary
};

Crashes RunCrashes(const json& scenario) {
  const ScratchFolder folder;
  const std::string file = folder.Write("s.json", scenario.dump());
  BenchProcess bench(
      {"run", file, "--target", "mock", "--out", folder.At(""), "--quiet", "--no-chunks"});
  Crashes crashes;
  crashes.code = bench.Wait(std::chrono::seconds(280));
  crashes.out = bench.out();
  crashes.err = bench.err();
  crashes.lines = ReadLines(folder.RunFile());
  std::set<int> servers;
  for (const json& event : OfType(crashes.lines, "event")) {
    ++crashes.events[event["event"]];
    if (event["detail"].contains("pid")) servers.insert(event["detail"]["pid"].get<int>());
  }
  for (const json& summary : OfType(crashes.lines, "summary")) {
    if (summary["stage"] == "recovery") crashes.recovery = summary;
  }
  for (const int pid : servers) EXPECT_FALSE(IsAlive(pid)) << "server " << pid;
  return crashes;
}

// What holds of every run of faults from which a server recovers.
void ExpectAllRecovered(const Crashes& crashes, int repeats) {
  EXPECT_EQ(crashes.code, 0) << crashes.out << crashes.err;
  ASSERT_FALSE(crashes.lines.empty());
  EXPECT_EQ(crashes.lines.back()["type"], "end");
  EXPECT_EQ(crashes.lines.back()["status"], "valid");
  EXPECT_EQ(crashes.events.at("fault_injected"), repeats);
  EXPECT_EQ(crashes.events.at("server_recovered"), repeats);
  ASSERT_TRUE(crashes.recovery.is_object());
  EXPECT_EQ(crashes.recovery["requests"], repeats);
  EXPECT_EQ(crashes.recovery["requests_ok"], repeats);
  EXPECT_EQ(crashes.recovery["counts"]["processes_left"], 0);
  EXPECT_EQ(crashes.recovery["metrics"]["recovery_ms"]["n"], repeats);
  // Every request that was begun is there once, with a class.
  std::set<std::tuple<int, std::string, int>> seen;
  for (const json& request : OfType(crashes.lines, "request")) {
    EXPECT_FALSE(request["outcome"].get<std::string>().empty());
    EXPECT_TRUE(seen.emplace(request["round"].get<int>(), request["stage"].get<std::string>(),
                             request["index"].get<int>())
                    .second);
    if (request["stage"] == "after") {
      EXPECT_EQ(request["outcome"], "ok") << request.dump();
    }
  }
}

class CrashAtEveryPhase : public ::testing::TestWithParam<const char*> {};

TEST_P(CrashAtEveryPhase, IsToldMeasuredAndRecoveredFrom) {
  json scenario = ReadScenario(std::string("ci/crash_") + GetParam() + ".json");
  const int repeats = Repeats(20);
  scenario["fault"]["repeat"] = repeats;
  const Crashes crashes = RunCrashes(scenario);
  ExpectAllRecovered(crashes, repeats);
  const json& counts = crashes.recovery["counts"];
  const std::string moment = GetParam();
  if (moment == "decode") {
    EXPECT_EQ(counts.value("moment_missed", -1), 0);
    EXPECT_EQ(counts.value("struck_server_exited", -1), 2 * repeats);
    EXPECT_EQ(crashes.recovery["metrics"]["told_ms"]["n"], 2 * repeats);
    EXPECT_GE(counts.value("tokens_lost_total", -1), 16 * repeats);
  }
  if (moment == "prefill") {
    // Aimed by the prefill before it, which a busy machine may have held up.
    const int missed = counts.value("moment_missed", -1);
    EXPECT_LE(missed, repeats / 4);
    EXPECT_GE(counts.value("struck_server_exited", -1), repeats - missed);
    if (missed == 0) {
      EXPECT_EQ(counts.value("tokens_lost_total", -1), 0);
    }
  }
  if (moment == "idle") {
    EXPECT_EQ(counts.value("streams_struck", -1), 0);
  }
  if (moment != "load") {
    EXPECT_EQ(crashes.events.at("server_exited"), repeats);
    EXPECT_EQ(crashes.events.at("server_started"), repeats + 1);
  } else {
    EXPECT_EQ(crashes.events.at("load_failed"), repeats);
  }
}

INSTANTIATE_TEST_SUITE_P(Kill, CrashAtEveryPhase,
                         ::testing::Values("load", "prefill", "decode", "idle"),
                         [](const auto& test) { return std::string(test.param); });

// A server that dies by itself before the blow is no fault of ours: nothing is measured of it.
TEST(Crash, ADeathBeforeTheBlowIsABackendFailure) {
  const ScratchFolder folder;
  json scenario = ReadScenario("ci/crash_idle.json");
  const std::string faults = folder.Write("faults.json", R"({"rules": [{"when": {"requests": [1]},
    "fault": {"type": "signal", "signal": "SEGV", "token": 3}}]})");
  scenario["server"]["args"] = {"--mock-faults", faults};
  const Crashes crashes = RunCrashes(scenario);
  EXPECT_EQ(crashes.code, 3) << crashes.out << crashes.err;
  EXPECT_EQ(crashes.events.count("fault_injected"), 0u);
  EXPECT_EQ(crashes.lines.back()["status"], "partial");
}

class EverySignal : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(EverySignal, AtEveryMoment) {
  const auto [action, moment] = GetParam();
  json scenario = ReadScenario(std::string("ci/crash_") + moment + ".json");
  const bool hangs = std::string(action) == "stop";
  const int repeats = hangs ? rocm::QuickOrFull(1, 25) : rocm::QuickOrFull(2, 100);
  scenario["fault"]["action"] = action;
  scenario["fault"]["repeat"] = repeats;
  scenario["fault"]["hang_after_ms"] = 400;
  scenario["workload"]["stall_timeout_ms"] = 400;
  const Crashes crashes = RunCrashes(scenario);
  ExpectAllRecovered(crashes, repeats);
  const json& counts = crashes.recovery["counts"];
  if (hangs && std::string(moment) != "load") {
    EXPECT_EQ(crashes.events.at("server_hung"), repeats);
    const std::string told = std::string(moment) == "idle" ? "streams_struck" : "struck_stalled";
    EXPECT_EQ(counts.value(told, -1), std::string(moment) == "idle"     ? 0
                                      : std::string(moment) == "decode" ? 2 * repeats
                                                                        : repeats)
        << counts.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(All, EverySignal,
                         ::testing::Combine(::testing::Values("segv", "abort", "term", "stop"),
                                            ::testing::Values("load", "prefill", "decode", "idle")),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_" +
                                  std::get<1>(test.param);
                         });

TEST(CrashLoop, EndsByPolicy) {
  json scenario = ReadScenario("crash/crash_loop.json");
  scenario["fault"]["restart"]["initial_backoff_ms"] = 20;
  const Crashes crashes = RunCrashes(scenario);
  EXPECT_EQ(crashes.code, 0) << crashes.out << crashes.err;
  EXPECT_EQ(crashes.events.at("fault_injected"), 4);
  EXPECT_EQ(crashes.events.at("server_recovered"), 3);
  EXPECT_EQ(crashes.events.at("crash_loop_ended"), 1);
  EXPECT_EQ(crashes.recovery["counts"]["policy_refused"], 1);
  EXPECT_EQ(crashes.recovery["counts"]["not_recovered"], 0);
  // 20, 40 and 80 ms of back-off are in the time to the next server.
  EXPECT_GE(crashes.recovery["metrics"]["healthy_ms"]["max"].get<double>(), 80);
}

TEST(CrashLoop, AnUnexpectedRefusalFails) {
  json scenario = ReadScenario("ci/crash_idle.json");
  scenario["fault"]["repeat"] = 2;
  scenario["fault"]["restart"] = {{"max_restarts", 0}};
  scenario["expect"] = json::array();
  // Not the scenario's doing: it allowed none.
  EXPECT_EQ(RunCrashes(scenario).code, 0);
  scenario["expect"].push_back({{"metric", "requests_ok"}, {"op", "=="}, {"value", 2}});
  EXPECT_EQ(RunCrashes(scenario).code, 1);
}

TEST(CrashBound, ARecoveryThatTakesTooLongFails) {
  json scenario = ReadScenario("ci/crash_idle.json");
  scenario["fault"]["repeat"] = 1;
  scenario["fault"]["recover_within_ms"] = 1;
  const Crashes crashes = RunCrashes(scenario);
  EXPECT_EQ(crashes.code, 1) << crashes.out;
}

TEST(IgpuAutofit, DiesUnmaskedAndLoadsPinned) {
  const Crashes crashes = RunCrashes(ReadScenario("crash/igpu_autofit.json"));
  ExpectAllRecovered(crashes, 3);
  int failed = 0;
  for (const json& event : OfType(crashes.lines, "event")) {
    if (event["event"] != "load_failed") continue;
    ++failed;
    EXPECT_EQ(event["detail"]["code"], "device_error") << event.dump();
    EXPECT_THAT(event["detail"].dump(), HasSubstr("unspecified launch failure"));
  }
  EXPECT_EQ(failed, 3);
}

}  // namespace
}  // namespace harness::testing
