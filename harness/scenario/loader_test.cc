// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace harness {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGood[] = R"({
  // what a person would write
  "schema": 1, "name": "n", "why": "w", "kind": "load",
  "server": {"slots": 4, "context_per_slot": 2048, "flash_attention": "auto"},
  "workload": {"api": "chat", "prompt": {"synthetic_tokens": {"uniform": [64, 512]}},
               "output_tokens": {"fixed": 128}, "seed": 7},
  "stages": [
    {"name": "warm-up", "closed_loop": {"concurrency": 1}, "requests": 4, "record": false},
    {"name": "steady", "open_loop": {"poisson_rate_per_s": 4, "seed": 11}, "duration_s": 60}],
  "slo": {"ttft_ms": 500, "tpot_ms": 60},
  "expect": [
    {"stage": "steady", "metric": "requests_failed", "op": "==", "value": 0},
    {"stage": "steady", "metric": "ttft_ms.p99", "op": "<=", "value": 500, "on": "hardware"}]
})";

std::string Error(const std::string& text) {
  const auto scenario = ParseScenario(text, "f.json");
  return scenario ? "" : scenario.error().message;
}

// kGood with `from` replaced.
std::string With(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Loader, ReadsTheDocumentedExample) {
  const auto scenario = ParseScenario(kGood, "f.json");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->name, "n");
  EXPECT_EQ(scenario->server.slots, 4);
  EXPECT_EQ(scenario->server.flash_attention, rocm::FlashAttention::kAuto);
  const auto& prompt = std::get<SyntheticPrompt>(scenario->workload.prompt);
  EXPECT_EQ(std::get<UniformLength>(prompt.tokens), (UniformLength{64, 512}));
  EXPECT_TRUE(scenario->workload.exact_output);
  EXPECT_FALSE(scenario->workload.cache_prompt);
  ASSERT_EQ(scenario->stages.size(), 2u);
  EXPECT_FALSE(scenario->stages[0].record);
  const auto& open = std::get<OpenLoop>(scenario->stages[1].load);
  EXPECT_EQ(open.process, ArrivalProcess::kPoisson);
  EXPECT_EQ(open.rate_per_s, 4);
  EXPECT_EQ(open.seed, 11u);
  EXPECT_EQ(scenario->stages[1].duration, std::chrono::milliseconds(60'000));
  EXPECT_EQ(scenario->slo.tpot_ms, 60);
  ASSERT_EQ(scenario->expect.size(), 2u);
  EXPECT_EQ(scenario->expect[1].on, JudgedOn::kHardware);
}

struct Refusal {
  std::string from, to, error;
};

class Refuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refuses, WithFilePathAndReason) {
  EXPECT_EQ(Error(With(GetParam().from, GetParam().to)), "f.json: " + GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Each, Refuses,
    ::testing::Values(
        Refusal{R"("slots")", R"("slot")", "$.server.slot: unknown key (did you mean slots?)"},
        Refusal{R"("why": "w")", R"("wy": "w")", "$.why: is missing"},
        Refusal{R"("why": "w")", R"("why": "")", "$.why: must not be empty"},
        Refusal{R"("why": "w")", R"("why": 3)", "$.why: must be a string, is number"},
        Refusal{R"("schema": 1, )", "", "$.schema: is missing"},
        Refusal{R"("schema": 1)", R"("schema": 2)", "$.schema: is 2; this version reads schema 1"},
        Refusal{R"("kind": "load")", R"("kind": "laod")",
                "$.kind: is \"laod\", must be one of load, ab, fault (did you mean load?)"},
        Refusal{R"("slots": 4)", R"("slots": 0)", "$.server.slots: must be 1 to 16384, is 0"},
        Refusal{R"("slots": 4)", R"("slots": 4.5)",
                "$.server.slots: must be a whole number, is a fraction"},
        Refusal{R"("slots": 4)", R"("slots": 99999999999999999999)",
                "$.server.slots: must be a whole number, is a fraction"},
        Refusal{R"("slots": 4)", R"("slots": 18446744073709551615)",
                "$.server.slots: must be 1 to 16384, is 18446744073709551615"},
        Refusal{R"("api": "chat", )", "", "$.workload.api: is missing"},
        Refusal{R"([64, 512])", R"([512, 64])",
                "$.workload.prompt.synthetic_tokens.uniform: the first number is larger than the "
                "second"},
        Refusal{R"([64, 512])", R"([64])",
                "$.workload.prompt.synthetic_tokens.uniform: must have 2 to 2 elements, has 1"},
        Refusal{R"([64, 512])", R"([64, "x"])",
                "$.workload.prompt.synthetic_tokens.uniform[1]: must be a whole number, is string"},
        Refusal{R"({"fixed": 128})", R"({"fixed": 128, "max": 3})",
                "$.workload.output_tokens: must have exactly one of fixed, max"},
        Refusal{R"("name": "steady")", R"("name": "warm-up")",
                "$.stages[1].name: another stage is called warm-up too"},
        Refusal{R"("name": "steady")", R"("name": "a b")",
                "$.stages[1].name: must be 1 to 80 letters, digits, '_', '-' or '.', not beginning "
                "with '.' or '-'"},
        Refusal{R"(, "duration_s": 60)", "",
                "$.stages[1]: never ends: give requests or duration_s"},
        Refusal{R"("duration_s": 60)", R"("duration_s": -1)",
                "$.stages[1].duration_s: must be 0.001 to 604800, is -1"},
        Refusal{R"("closed_loop": {"concurrency": 1}, )", "",
                "$.stages[0]: must have exactly one of closed_loop, open_loop"},
        Refusal{R"("seed": 11})", R"("seed": 11, "shape": 2})",
                "$.stages[1].open_loop.shape: applies to gamma_rate_per_s only"},
        Refusal{R"("poisson_rate_per_s": 4)", R"("trace": "none.jsonl")",
                "$.stages[1].open_loop.trace: none.jsonl: No such file or directory"},
        Refusal{R"("record": false)", R"("record": "no")",
                "$.stages[0].record: must be true or false, is string"},
        Refusal{R"("requests": 4, "record": false)", R"("requests": 4, "requests": 5)",
                "the key \"requests\" stands twice in one object"},
        Refusal{R"({"ttft_ms": 500, "tpot_ms": 60})", "{}",
                "$.slo: must set at least one of ttft_ms, tpot_ms, e2e_ms"},
        Refusal{R"("op": "==")", R"("op": "=")",
                "$.expect[0].op: is \"=\", must be one of ==, !=, <, <=, >, >= (did you mean ==?)"},
        Refusal{R"("stage": "steady", "metric": "req)", R"("stage": "warm-up", "metric": "req)",
                "$.expect[0].stage: names a stage that is not recorded"},
        Refusal{R"("stage": "steady", "metric": "req)", R"("stage": "gone", "metric": "req)",
                "$.expect[0].stage: names no stage of this scenario"},
        Refusal{R"("kind": "load")", R"("kind": "fault")",
                "$.fault: goes with the kind fault, and only with it"},
        Refusal{R"("slo":)", R"("sweep": {"parameter": "concurrency", "values": [1, 2]}, "slo":)",
                "$.sweep: concurrency needs a recorded closed_loop stage"},
        Refusal{R"("slo":)", R"("sweep": {"parameter": "slots", "values": [1, 1]}, "slo":)",
                "$.sweep.values[1]: stands twice"},
        Refusal{R"("slo":)",
                R"("sweep": {"parameter": "split_mode", "values": ["layer", "rows"]}, "slo":)",
                "$.sweep.values[1]: must be none, layer, row or tensor"},
        Refusal{R"("slo":)", R"("sweep": {"parameter": "tensor_split", "values": ["3;1"]}, "slo":)",
                "$.sweep.values[0]: must be shares: \"3,1\""},
        Refusal{R"("slo":)",
                R"("sweep": {"parameter": "page_cache", "values": ["cold", "cold"]}, "slo":)",
                "$.sweep.values[1]: stands twice"},
        Refusal{R"("kind": "load")",
                R"("kind": "fault", "fault": {"action": "kill", "moment": "decode"})",
                "$.stages: one recorded stage is struck, and at least one must follow"},
        Refusal{R"("kind": "load")",
                R"("kind": "fault", "fault": {"action": "unmask", "moment": "idle"})",
                "$.fault.moment: must be load with the action unmask"},
        Refusal{R"("slots": 4)", R"("page_cache": "hot")",
                "$.server.page_cache: is \"hot\", must be one of as_it_is, cold, warm"}));

TEST(Loader, SyntaxErrorsNameLineAndColumn) {
  EXPECT_THAT(Error("{\n  \"schema\": 1,,\n}"), StartsWith("f.json: parse error at line 2"));
  EXPECT_THAT(Error(""), StartsWith("f.json: parse error at line 1"));
}

TEST(Loader, TopLevelMustBeAnObject) {
  EXPECT_EQ(Error("[]"), "f.json: $: must be an object, is array");
}

TEST(Loader, DepthAndSizeAreBounded) {
  EXPECT_EQ(Error(std::string(500'000, '[')), "f.json: nested deeper than 32 levels");
  EXPECT_THAT(Error("{\"why\": \"" + std::string(1 << 20, 'x') + "\"}"), HasSubstr("larger than"));
}

TEST(Loader, ErrorsAreOneLineWhateverTheFileHolds) {
  const std::string error = Error(With(R"("slots")", R"("sl\nots\u0000\u202e")"));
  EXPECT_EQ(error.find('\n'), std::string::npos);
  EXPECT_EQ(error, "f.json: $.server.sl\\nots\\u0000\\u202e: unknown key");
}

TEST(Loader, RoundTrips) {
  const auto scenario = ParseScenario(kGood, "f.json");
  ASSERT_TRUE(scenario);
  const auto again = ParseScenario(ToJson(*scenario), "g.json");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(ToJson(*again), ToJson(*scenario));
}

TEST(Loader, RoundTripsEveryOtherPart) {
  for (const std::string& text : {
           With(R"({"uniform": [64, 512]})",
                R"({"lognormal": {"median": 200, "sigma": 0.8, "max": 4000}})"),
           With(R"({"uniform": [64, 512]})", R"({"choice": [1, 2, 3]})"),
           With(R"({"synthetic_tokens": {"uniform": [64, 512]}})",
                R"({"messages": [{"role": "user", "content": "hi \"there\""}]})"),
           With(R"("poisson_rate_per_s": 4)", R"("gamma_rate_per_s": 4.25, "shape": 0.5)"),
           With(R"("slots": 4)",
                R"("args": ["--x"], "environment": {"A": "b"}, "kv_type_k": "q8_0", "threads": 2)"),
           With(R"("slo":)",
                R"("sweep": [{"parameter": "rate_per_s", "values": [1, 2.5],
                              "until_saturation": true},
                             {"parameter": "slots", "values": [1, 4]}],
                   "timing": "unjudged", "rounds": 3, "restart_server": true, "slo":)"),
           With(R"("slots": 4)",
                R"("split_mode": "row", "tensor_split": "3,1.5", "page_cache": "cold")"),
           With(R"("slo":)",
                R"("sweep": [{"parameter": "tensor_split", "values": ["1,1", "3,1"]},
                             {"parameter": "page_cache", "values": ["cold", "warm"]},
                             {"parameter": "gpu_layers", "values": [0, -1]}], "slo":)"),
           With(R"("metric": "requests_failed", "op": "==", "value": 0)", R"("answer": "chain")"),
           With(R"("metric": "requests_failed", "op": "==", "value": 0)",
                R"("answer": {"matches": "^ w[0-9]+"})"),
           With(R"("kind": "load")",
                R"("kind": "ab", "ab": {"variants": [{"name": "a"}, {"name": "b", "server":
                   {"flash_attention": "on"}}], "metrics": ["decode_tokens_per_s"]})"),
           With(R"("kind": "load")",
                R"("kind": "ab", "cool_down_s": 2.5, "weights": "random", "ab": {"variants": [
                   {"name": "a", "binding": "old"}, {"name": "b"}], "rounds": 5, "margin": 0.1,
                   "answers": "equal", "metrics": ["ttft_ms.p50"]})"),
           With(R"("kind": "load")",
                R"("kind": "fault", "fault": {"action": "abort", "moment": "load",
                   "repeat": 3, "hang_after_ms": 700,
                   "restart": {"max_restarts": 2, "window_ms": 9000, "initial_backoff_ms": 1,
                               "max_backoff_ms": 20}})"),
       }) {
    const auto scenario = ParseScenario(text, "f.json");
    ASSERT_TRUE(scenario) << scenario.error().message;
    const auto again = ParseScenario(ToJson(*scenario), "g.json");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(ToJson(*again), ToJson(*scenario));
    EXPECT_NE(ToJson(*again), ToJson(*ParseScenario(kGood, "f.json")));
  }
}

TEST(Loader, ComparisonsThatMeanNothingAreRefused) {
  const auto ab = [](const std::string& side, const std::string& more) {
    return Error(With(R"("kind": "load")",
                      R"("kind": "ab", "ab": {"variants": [{"name": "a"}, {"name": "b")" + side +
                          R"(}], "metrics": ["ttft_ms.p50"]})" + more));
  };
  EXPECT_EQ(ab("", ""), "");
  EXPECT_THAT(
      ab(R"(, "server": {"slots": 2})", R"(, "sweep": {"parameter": "slots", "values": [1, 2]})"),
      HasSubstr("$.ab.variants: b sets slots, which the sweep varies"));
  EXPECT_THAT(ab("", R"(, "rounds": 5)"), HasSubstr("stand in $.ab.rounds"));
  EXPECT_THAT(ab("", R"(, "sweep": {"parameter": "rate_per_s", "values": [1, 2],
                                    "until_saturation": true})"),
              HasSubstr("needs the kind load"));
  EXPECT_THAT(Error(With(R"("kind": "load")",
                         R"("kind": "ab", "ab": {"variants": [{"name": "a"}, {"name": "b"}],
                            "metrics": ["ttft_ms.p50", "ttft_ms.p50"]})")),
              HasSubstr("names ttft_ms.p50 twice"));
}

TEST(Loader, DepthNeedsWhatMakesItTrue) {
  const auto text = With(R"({"uniform": [64, 512]})", R"(8, "depth": 128)");
  EXPECT_THAT(Error(text), HasSubstr("needs the api native"));
}

class LoaderFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "scenario-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::filesystem::path folder_;
};

TEST_F(LoaderFiles, OddFilesAreRefusedAtOnce) {
  EXPECT_EQ(LoadScenario(folder_.string()).error().message, folder_.string() + ": is a directory");
  const std::string fifo = (folder_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(LoadScenario(fifo).error().message, fifo + ": is not a regular file");
  const std::string none = (folder_ / "none.json").string();
  EXPECT_EQ(LoadScenario(none).error().message, none + ": No such file or directory");
}

TEST_F(LoaderFiles, TraceIsReadFromBesideTheScenario) {
  Write("arrivals.jsonl", "{\"at_s\": 0.5, \"prompt_tokens\": 12}\n\n{\"at_s\": 0.75}\n");
  const auto path =
      Write("s.json", With(R"("poisson_rate_per_s": 4)", R"("trace": "arrivals.jsonl")"));
  const auto scenario = LoadScenario(path);
  ASSERT_TRUE(scenario) << scenario.error().message;
  const auto& open = std::get<OpenLoop>(scenario->stages[1].load);
  ASSERT_EQ(open.trace.size(), 2u);
  EXPECT_EQ(open.trace[0].at, std::chrono::milliseconds(500));
  EXPECT_EQ(open.trace[0].prompt_tokens, 12);
  EXPECT_EQ(open.trace[1].prompt_tokens, std::nullopt);
}

TEST_F(LoaderFiles, TraceErrorsNameItsLine) {
  const auto trace = Write("arrivals.jsonl", "{\"at_s\": 0.5}\n{\"at_s\": 0.25}\n");
  const auto path =
      Write("s.json", With(R"("poisson_rate_per_s": 4)", R"("trace": "arrivals.jsonl")"));
  EXPECT_EQ(LoadScenario(path).error().message, path + ": $.stages[1].open_loop.trace: " + trace +
                                                    ":2.at_s: lies before the line above");
}

}  // namespace
}  // namespace harness
