// SPDX-License-Identifier: EUPL-1.2
// Comparisons from end to end, as far as they do not judge times.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/cli/bench_process.h"
#include "harness/cli/foreign_mock.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// `server_b` is the second side's server, `more` further members of the plan.
std::string Scenario(const std::string& server_b, const std::string& more = "",
                     const std::string& name = "pair") {
  return R"({
    "schema": 1, "name": ")" +
         name + R"(", "why": "Two servers.", "kind": "ab", "timing": "unjudged",
    "server": {"slots": 1, "context_per_slot": 256},
    "workload": {"api": "native", "prompt": {"synthetic_tokens": 8}, "output_tokens": {"fixed": 16}},
    "stages": [{"name": "s", "closed_loop": {"concurrency": 1}, "requests": 3}],
    "ab": {"variants": [{"name": "a"}, {"name": "b", "server": )" +
         server_b + R"(}], "rounds": 2, "metrics": ["decode_tokens_per_s.p50"])" + more + "}}";
}

struct Outcome {
  json result;
  std::string err;
  std::vector<json> lines;
};

Outcome RunAb(int code, std::vector<std::string> arguments, const ScratchFolder& folder) {
  arguments.insert(arguments.begin(), "run");
  arguments.insert(arguments.end(), {"--target", "mock", "--out", folder.At("runs"), "--json"});
  BenchProcess bench(arguments);
  EXPECT_EQ(bench.Wait(std::chrono::seconds(120)), code) << bench.err() << bench.out();
  Outcome outcome;
  outcome.err = bench.err();
  outcome.result = json::parse(bench.out(), nullptr, false);
  if (outcome.result.is_object()) outcome.lines = ReadLines(outcome.result["file"]);
  return outcome;
}

json Verdict(const json& result, const std::string& metric) {
  for (const json& comparison : result.value("comparisons", json::array())) {
    if (comparison["metric"] == metric) return comparison;
  }
  ADD_FAILURE() << "no verdict on " << metric << ": " << result.dump(1);
  return json::object();
}

TEST(Ab, EverySideOfEveryRoundHasAServerOfItsOwnInAbbaOrder) {
  const ScratchFolder folder;
  const Outcome run =
      RunAb(0, {folder.Write("s.json", Scenario("{}")), "--rounds", "4", "--quiet"}, folder);
  std::vector<std::string> order;
  std::set<int> pids;
  int open = 0;
  for (const json& event : OfType(run.lines, "event")) {
    if (event["event"] == "server_started") {
      EXPECT_EQ(open++, 0) << "two servers at once";
      order.push_back(event["variant"].get<std::string>() + event["round"].dump());
      pids.insert(event["detail"]["pid"].get<int>());
    }
    if (event["event"] == "server_stopped") --open;
  }
  EXPECT_THAT(order, ElementsAre("a0", "b0", "b1", "a1", "b2", "a2", "a3", "b3"));
  EXPECT_EQ(pids.size(), 8u);
  EXPECT_EQ(OfType(run.lines, "request").size(), 24u);
  // The same was asked of both, and something else in every round.
  std::map<std::string, std::set<std::string>> answers;
  for (const json& request : OfType(run.lines, "request")) {
    answers[request["round"].dump() + request["index"].dump()].insert(request["text_sha256"]);
  }
  for (const auto& [key, texts] : answers) EXPECT_EQ(texts.size(), 1u) << key;
  EXPECT_EQ(answers.size(), 12u);
}

TEST(Ab, WritesItsVerdictsAndSaysWhenRoundsAreFew) {
  const ScratchFolder folder;
  const Outcome run = RunAb(0, {folder.Write("s.json", Scenario("{}"))}, folder);
  EXPECT_THAT(run.err, HasSubstr("2 rounds instead of the 10 that are the rule"));
  std::set<std::string> metrics;
  for (const json& verdict : OfType(run.lines, "verdict")) {
    if (verdict["kind"] != "comparison") continue;
    EXPECT_EQ(verdict["variant"], "b against a");
    EXPECT_EQ(verdict["scenario"], "pair");
    metrics.insert(verdict["metric"]);
  }
  EXPECT_THAT(metrics, ElementsAre("answers_degenerate", "answers_differing",
                                   "decode_tokens_per_s.p50", "requests_failed"));
  const json speed = Verdict(run.result, "decode_tokens_per_s.p50");
  EXPECT_EQ(speed["finding"], "not_judged");
  EXPECT_THAT(speed["reason"].get<std::string>(),
              HasSubstr("fewer than 5 say nothing of the noise; 2 rounds were asked for"));
}

TEST(Ab, TellsAtWhichTokenAnswersPart) {
  const ScratchFolder folder;
  const std::string faults = folder.Write("faults.json", R"({"rules": [{"when": {"requests": [1]},
    "fault": {"type": "wrong-token", "token": 7, "id": 700, "text": " w435"}}]})");
  const std::string server = R"({"args": ["--mock-faults", ")" + faults + "\"]}";
  const Outcome told = RunAb(0, {folder.Write("told.json", Scenario(server)), "--quiet"}, folder);
  const json verdict = Verdict(told.result, "answers_differing");
  EXPECT_EQ(verdict["finding"], "warning");
  // Request 1 of each round: each has a server of its own, which counts from 0.
  EXPECT_THAT(
      verdict["reason"].get<std::string>(),
      HasSubstr("2 of 6 greedy answers of b are not those of a: the first at token 6 (stage "
                "s, round 0, request 1)"));
  const ScratchFolder other;
  const Outcome strict =
      RunAb(1,
            {folder.Write("strict.json", Scenario(server, R"(, "answers": "equal")", "strict")),
             "--quiet"},
            other);
  EXPECT_EQ(Verdict(strict.result, "answers_differing")["finding"], "regression");
}

TEST(Ab, ASideThatFailsLoses) {
  const ScratchFolder folder;
  const std::string faults =
      folder.Write("faults.json", R"({"rules": [{"when": {"endpoint": "/completion"},
                          "fault": {"type": "status", "code": 500}}]})");
  const Outcome run =
      RunAb(1,
            {folder.Write("s.json", Scenario(R"({"args": ["--mock-faults", ")" + faults + "\"]}")),
             "--quiet"},
            folder);
  EXPECT_EQ(Verdict(run.result, "requests_failed")["finding"], "regression");
  const json speed = Verdict(run.result, "decode_tokens_per_s.p50");
  EXPECT_EQ(speed["finding"], "fail");
  EXPECT_THAT(speed["reason"].get<std::string>(), HasSubstr("no round gave"));
}

TEST(Ab, AServerThatCannotStartNamesItsSide) {
  const ScratchFolder folder;
  const Outcome run = RunAb(
      2, {folder.Write("s.json", Scenario(R"({"args": ["--no-such-flag"]})")), "--quiet"}, folder);
  EXPECT_THAT(run.err, HasSubstr("pair b: "));
  EXPECT_EQ(run.lines.back()["status"], "partial");
}

TEST(Binding, RunningServersAreComparedAndLeftAlone) {
  const ScratchFolder folder;
  const ForeignMock here(folder, "here"), there(folder, "there");
  std::string text = Scenario("{}");
  text.replace(text.find(R"("name": "b", )"), 13, R"("name": "b", "binding": "there", )");
  const std::string file = folder.Write("s.json", text);
  BenchProcess bench({"run", file, "--target", here.url(), "--variant", "there=" + there.url(),
                      "--out", folder.At("runs"), "--json", "--quiet"});
  EXPECT_EQ(bench.Wait(), 0) << bench.err();
  const json result = json::parse(bench.out());
  EXPECT_EQ(Verdict(result, "answers_differing")["finding"], "no_change");
  EXPECT_EQ(Verdict(result, "answers_differing")["n"], 6);
  EXPECT_TRUE(here.alive());
  EXPECT_TRUE(there.alive());
  // The URL is part of what the trend of that side is.
  for (const json& summary : OfType(ReadLines(result["file"]), "summary")) {
    EXPECT_EQ(summary["settings"].contains("bound"), summary["variant"] == "b") << summary.dump();
  }
}

TEST(Binding, MissingAndNeedlessOnesAreBadInput) {
  const ScratchFolder folder;
  std::string text = Scenario("{}");
  text.replace(text.find(R"({"name": "a"})"), 13, R"({"name": "a", "binding": "old"})");
  const std::string file = folder.Write("s.json", text);
  const auto error = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{file, "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunAb(2, arguments, folder).err;
  };
  EXPECT_THAT(error({}), HasSubstr("the variant a needs --variant old=BINARY"));
  EXPECT_THAT(error({"--variant", "old=" + folder.At("none")}), HasSubstr("no such file"));
  EXPECT_THAT(error({"--variant", "old=" + file}), HasSubstr("neither a GGUF file nor executable"));
  EXPECT_THAT(error({"--variant", "old"}), HasSubstr("must be NAME="));
  const std::string mock = std::string(std::getenv("ROCM_TEST_BIN_DIR")) + "/mock-llama-server";
  EXPECT_THAT(error({"--variant", "old=" + mock, "--variant", "new=" + mock}),
              HasSubstr("--variant new: no scenario of this run has a binding of that name"));
  const Outcome run = RunAb(0, {file, "--variant", "old=" + mock, "--quiet"}, folder);
  EXPECT_EQ(Verdict(run.result, "answers_differing")["finding"], "no_change");
}

TEST(DegenerateAnswers, FailAScenarioThatAsksInWords) {
  const ScratchFolder folder;
  const std::string faults = folder.Write("faults.json", R"({"rules": [{"fault":
    {"type": "wrong-token", "token": 1, "tokens": -1, "id": 300, "text": " w035"}}]})");
  const auto load = [&](const std::string& prompt, const std::string& weights,
                        const std::string& name) {
    return folder.Write(name + ".json", R"({
      "schema": 1, "name": ")" + name + R"(", "why": "w", "kind": "load", "weights": ")" +
                                            weights + R"(",
      "server": {"slots": 1, "context_per_slot": 256, "args": ["--mock-faults", ")" +
                                            faults + R"("]},
      "workload": {"api": "native", "prompt": )" +
                                            prompt + R"(, "output_tokens": {"fixed": 20}},
      "stages": [{"name": "s", "closed_loop": {"concurrency": 1}, "requests": 2}]})");
  };
  const auto finding = [&](int code, const std::string& file) {
    const Outcome run = RunAb(code, {file, "--quiet"}, folder);
    for (const json& verdict : OfType(run.lines, "verdict")) {
      if (verdict["metric"] != "answers_degenerate") continue;
      EXPECT_EQ(verdict["observed"], 2);
      EXPECT_THAT(verdict["reason"].get<std::string>(), HasSubstr("repeated_token in request 0"));
      return verdict["finding"].get<std::string>();
    }
    return std::string("none");
  };
  const std::string words = R"({"text": "Hello"})";
  EXPECT_EQ(finding(1, load(words, "trained", "words")), "fail");
  EXPECT_EQ(finding(0, load(words, "random", "random")), "not_judged");
  EXPECT_EQ(finding(0, load(R"({"synthetic_tokens": 8})", "trained", "synthetic")), "warning");
}

// The two runs of a scenario, with the arguments of the second.
std::pair<std::string, std::string> TwoRuns(const ScratchFolder& folder,
                                            const std::vector<std::string>& more) {
  const std::string scenario = SourcePath("scenarios/ci/rounds.json");
  const Outcome first = RunAb(0, {scenario, "--quiet"}, folder);
  std::vector<std::string> arguments{scenario, "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome second = RunAb(more.empty() ? 0 : 1, arguments, folder);
  return {first.result["file"], second.result["file"]};
}

TEST(Compare, SaysThatRunsWereNotInterleaved) {
  const ScratchFolder folder;
  const auto [first, second] = TwoRuns(folder, {});
  BenchProcess bench({"compare", first, second});
  EXPECT_EQ(bench.Wait(), 0) << bench.err();
  EXPECT_THAT(bench.out(), HasSubstr("not interleaved"));
  EXPECT_THAT(bench.out(), HasSubstr("decode_tokens_per_s.p50"));
  BenchProcess by_id({"compare", std::filesystem::path(first).stem().string(),
                      std::filesystem::path(second).stem().string(), "--runs", folder.At("runs"),
                      "--json"});
  EXPECT_EQ(by_id.Wait(), 0) << by_id.err();
  const json result = json::parse(by_id.out());
  EXPECT_EQ(result["interleaved"], false);
  EXPECT_EQ(Verdict(result, "answers_differing")["finding"], "no_change");
  BenchProcess none({"compare", first, "no-such-run"});
  EXPECT_EQ(none.Wait(), 2);
  EXPECT_THAT(none.err(), HasSubstr("no such run"));
}

TEST(Compare, AnswersThatTurnedToGarbageFail) {
  const ScratchFolder folder;
  const std::string faults = folder.Write("faults.json", R"({"rules": [{"fault":
    {"type": "wrong-token", "token": 1, "tokens": -1, "id": 300, "text": "�"}}]})");
  const auto [first, second] =
      TwoRuns(folder, {"--server-arg=--mock-faults", "--server-arg=" + faults});
  BenchProcess bench({"compare", first, second, "--json"});
  EXPECT_EQ(bench.Wait(), 1) << bench.err();
  const json result = json::parse(bench.out());
  EXPECT_EQ(Verdict(result, "answers_degenerate")["finding"], "regression");
  EXPECT_THAT(Verdict(result, "answers_degenerate")["reason"].get<std::string>(),
              HasSubstr("no valid UTF-8"));
}

}  // namespace
}  // namespace harness::testing
