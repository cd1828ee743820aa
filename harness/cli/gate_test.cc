// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "harness/cli/commands.h"
#include "harness/cli/stop_signals.h"
#include "harness/scenario/loader.h"

namespace harness {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kMetric[] = "ttft_ms.p50";
constexpr char kScenario[] = R"({
  "schema": 1, "name": "decode", "why": "x", "kind": "load",
  "server": {"slots": 1, "context_per_slot": 2048},
  "workload": {"api": "native", "prompt": {"synthetic_tokens": 16}, "output_tokens": {"fixed": 8}},
  "stages": [{"name": "steady", "closed_loop": {"concurrency": 1}, "requests": 3}],
  "sweep": {"parameter": "prompt_tokens", "values": [16, 64]}
})";

Baseline Night(int day, std::vector<double> starts,
               const std::string& binary = "/opt/b/llama-server", const std::string& build = "b2") {
  Baseline run;
  run.identity = {{"backend", "rocm"}, {"model", {{"sha256", "ab"}}}};
  run.covariates = {{"server_build", build}, {"kernel", "6.1"}};
  BaselineRun from;
  from.run_id = "run-" + std::to_string(day);
  from.started_at = "2026-01-0" + std::to_string(day);
  from.status = "valid";
  from.exit_code = 0;
  from.command = {"rocm-bench",
                  "run",
                  "nightly.txt",
                  "--target",
                  "llama-server",
                  "--model",
                  "my model.gguf",
                  "--rounds",
                  "5",
                  "--json",
                  "--server-binary=/opt/b/llama-server"};
  from.binary = binary;
  from.build = build;
  run.runs = {from};
  BaselineSeries series;
  series.series = "00000000deadbeef";
  series.scenario = "decode";
  series.variant = "prompt_tokens=64";
  series.stage = "steady";
  series.requests = 30;
  series.metrics[kMetric] = {starts.front(), starts, {}, ""};
  run.series = {series};
  run.scenarios["decode"] = nlohmann::ordered_json::parse(kScenario);
  return run;
}

const std::vector<double> kBase{10, 10.1, 9.9, 10.05, 9.95};
const std::vector<double> kSlow{15, 15.1, 14.9, 15.05, 14.95};

GateSides Input(std::vector<Baseline> candidates) {
  GateSides input;
  input.baseline = Night(1, kBase, "/opt/a/llama-server", "b1");
  input.candidates = std::move(candidates);
  input.metrics = {kMetric};
  return input;
}

std::vector<Finding> Findings(const GateReport& report) {
  std::vector<Finding> findings;
  for (const GateLine& line : report.lines) findings.push_back(line.verdict.finding);
  return findings;
}

TEST(Gate, TheSameIsNoChange) {
  const GateReport report =
      JudgeGate(Input({Night(2, kBase, "/opt/a/llama-server", "b1")})).value();
  EXPECT_THAT(Findings(report), ElementsAre(Finding::kNoChange));
  EXPECT_EQ(report.exit, ExitCode::kPass);
  EXPECT_THAT(report.covariates, IsEmpty());
  EXPECT_THAT(report.confirmations, IsEmpty());
}

TEST(Gate, ASingleRunIsAWarningWithTheCommandThatConfirmsIt) {
  const GateReport report = JudgeGate(Input({Night(2, kSlow)})).value();
  EXPECT_THAT(Findings(report), ElementsAre(Finding::kWarning));
  EXPECT_EQ(report.exit, ExitCode::kPass);
  EXPECT_EQ(report.lines[0].verdict.variant, "prompt_tokens=64");
  EXPECT_DOUBLE_EQ(report.lines[0].baseline, 10);
  EXPECT_DOUBLE_EQ(report.lines[0].candidate, 15);
  EXPECT_THAT(report.covariates, ElementsAre("server_build: b1 → b2"));
  ASSERT_EQ(report.confirmations.size(), 1U);
  const Confirmation& confirmation = report.confirmations[0];
  EXPECT_EQ(ShellLine(confirmation.command),
            "rocm-bench run confirm-decode-prompt_tokens-64.json --target llama-server --model "
            "'my model.gguf' --variant baseline=/opt/a/llama-server --variant "
            "candidate=/opt/b/llama-server");
  const Scenario scenario = ParseScenario(confirmation.file_text, "confirm.json").value();
  EXPECT_EQ(scenario.kind, ScenarioKind::kAb);
  ASSERT_TRUE(scenario.ab);
  EXPECT_EQ(scenario.ab->rounds, 10);
  EXPECT_THAT(scenario.ab->metrics, ElementsAre(kMetric));
  EXPECT_EQ(scenario.ab->variants[0].binding, "baseline");
  ASSERT_EQ(scenario.sweep.size(), 1U);
  EXPECT_THAT(scenario.sweep[0].values, ElementsAre(64));  // only the variant in doubt
}

TEST(Gate, TheSameBuildIsRunAgain) {
  GateSides input = Input({Night(2, kSlow)});
  input.baseline = Night(1, kBase);
  const Confirmation confirmation = JudgeGate(input)->confirmations.at(0);
  EXPECT_TRUE(confirmation.file_text.empty());
  EXPECT_EQ(ShellLine(confirmation.command),
            "rocm-bench run nightly.txt --target llama-server --model 'my model.gguf' --rounds 10");
  input.baseline = Night(1, kBase, "/opt/b/llama-server", "b1");  // replaced in its place
  EXPECT_THAT(JudgeGate(input)->confirmations.at(0).command, Contains("baseline=BINARY"));
}

TEST(Gate, TwoRunsThatAgreeFail) {
  const GateReport report = JudgeGate(Input({Night(2, kSlow), Night(3, kSlow)})).value();
  EXPECT_THAT(Findings(report), ElementsAre(Finding::kRegression));
  EXPECT_EQ(report.exit, ExitCode::kCheckFailed);
  EXPECT_EQ(JudgeGate(Input({Night(2, kSlow), Night(3, kBase)}))->exit, ExitCode::kPass);
}

// What the confirming command keeps of these words of the candidate's own.
std::vector<std::string> Kept(const std::vector<std::string>& words) {
  Baseline candidate = Night(2, kSlow);
  candidate.runs[0].command = {"rocm-bench", "run"};
  auto& command = candidate.runs[0].command;
  command.insert(command.end(), words.begin(), words.end());
  command.emplace_back("nightly.txt");
  const auto confirmed = JudgeGate(Input({candidate}))->confirmations.at(0).command;
  return {confirmed.begin() + 3, confirmed.end() - 4};  // its file; its two variants
}

// Every option of `run`, so that none that is added there is forgotten here.
TEST(Gate, TheConfirmingCommandKnowsTheOptionsOfRun) {
  CLI::App app;
  StopSignals signals;
  CommandContext context{signals, {}};
  AddRunCommand(app, context);
  const CLI::App* run = app.get_subcommand("run");
  int flags = 0;
  for (const CLI::Option* option : run->get_options()) {
    std::vector<std::vector<std::string>> kept;
    for (const std::string& name : option->get_lnames()) {
      if (name == "help") continue;
      std::vector<std::string> words{"--" + name};
      // A flag taken for an option swallows the suite, and an option taken for a flag loses its
      // value to the files.
      if (option->get_items_expected_max() > 0) words.emplace_back("VALUE");
      flags += words.size() == 1 ? 1 : 0;
      kept.push_back(Kept(words));
      EXPECT_THAT(kept.back(), AnyOf(IsEmpty(), Eq(words)));
      EXPECT_EQ(kept.back().empty(), kept.front().empty()) << name << ": other than its alias";
    }
  }
  EXPECT_GE(flags, 6);
}

Verdict FromAb(Finding finding) {
  Verdict verdict;
  verdict.kind = VerdictKind::kComparison;
  verdict.finding = finding;
  verdict.scenario = "decode";
  verdict.variant = "prompt_tokens=64,candidate against baseline";
  verdict.stage = "steady";
  verdict.metric = kMetric;
  return verdict;
}

TEST(Gate, AnAbDecides) {
  Baseline ab = Night(3, kSlow);
  ab.series.clear();
  ab.comparisons = {FromAb(Finding::kRegression)};
  EXPECT_EQ(JudgeGate(Input({Night(2, kSlow), ab}))->exit, ExitCode::kCheckFailed);
  EXPECT_EQ(JudgeGate(Input({ab}))->exit, ExitCode::kCheckFailed);  // nothing else to compare
  ab.comparisons = {FromAb(Finding::kNoChange)};
  const GateReport cleared = JudgeGate(Input({Night(2, kSlow), ab})).value();
  EXPECT_THAT(Findings(cleared), ElementsAre(Finding::kNoChange, Finding::kNoChange));
  EXPECT_THAT(cleared.confirmations, IsEmpty());
  ab.comparisons[0].stage = "another";
  EXPECT_THAT(Findings(*JudgeGate(Input({Night(2, kSlow), ab}))),
              ElementsAre(Finding::kWarning, Finding::kNoChange));
}

TEST(Gate, AnAbOfAnotherPointSettlesNothing) {
  Baseline ab = Night(3, kSlow);
  ab.series.clear();
  Verdict other = FromAb(Finding::kNoChange);
  other.variant = "prompt_tokens=640,b against a";
  ab.comparisons = {other};
  EXPECT_THAT(Findings(*JudgeGate(Input({Night(2, kSlow), ab}))),
              ElementsAre(Finding::kWarning, Finding::kNoChange));
  ab.comparisons[0].variant = "prompt_tokens=64,b against a";
  EXPECT_THAT(Findings(*JudgeGate(Input({Night(2, kSlow), ab}))),
              ElementsAre(Finding::kNoChange, Finding::kNoChange));
}

TEST(Gate, WhatTheCandidateLostIsNamed) {
  GateSides input = Input({Night(2, kBase)});
  input.metrics.push_back("decode_tokens_per_s.p50");
  input.baseline.series[0].metrics["decode_tokens_per_s.p50"] = {100, {100}, {}, ""};
  input.baseline.series.push_back(input.baseline.series[0]);
  input.baseline.series[1].series = "2222222222222222";
  input.baseline.series[1].scenario = "ttft";
  EXPECT_THAT(
      JudgeGate(input)->not_compared,
      ElementsAre("decode prompt_tokens=64 · steady: decode_tokens_per_s.p50 in the baseline only",
                  "ttft prompt_tokens=64 · steady: in the baseline only"));
}

TEST(Gate, AnotherIdentityIsRefusedByItsFields) {
  Baseline other = Night(2, kBase);
  other.identity["model"]["sha256"] = "cd";
  other.identity["gpus"] = {{{"model", "X"}}};
  const auto refused = JudgeGate(Input({other}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, rocm::ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("model.sha256: cd is not ab"));
  EXPECT_THAT(refused.error().message, HasSubstr("gpus.0.model: X is not (none)"));
}

TEST(Gate, OtherSettingsAreNamedAndNotCompared) {
  Baseline other = Night(2, kSlow);
  other.series[0].series = "1111111111111111";
  other.series[0].settings = {{"slots", 4}};
  const auto nothing = JudgeGate(Input({other}));
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("other settings than the baseline's: slots: 4"));
  Baseline both = Night(2, kBase);
  both.series.push_back(other.series[0]);
  both.series.back().scenario = "new";
  EXPECT_THAT(JudgeGate(Input({both}))->not_compared,
              ElementsAre("new prompt_tokens=64 · steady: not in the baseline"));
}

TEST(Gate, AnInstrumentTooCoarseIsInvalid) {
  Baseline coarse = Night(2, kSlow);
  coarse.series[0].metrics[kMetric].error_bound = 0.5;  // of 15: 3.3 %
  const GateReport report = JudgeGate(Input({coarse})).value();
  EXPECT_THAT(Findings(report), ElementsAre(Finding::kInvalid));
  EXPECT_EQ(report.exit, ExitCode::kInvalid);
  coarse.series[0].judged = false;  // it is shown then, and never judged
  EXPECT_THAT(Findings(*JudgeGate(Input({coarse}))), ElementsAre(Finding::kNotJudged));
  EXPECT_EQ(JudgeGate(Input({coarse}))->exit, ExitCode::kPass);
}

TEST(Gate, ChangedAnswersAreTold) {
  GateSides input = Input({Night(2, kBase)});
  input.baseline.series[0].answers = {{0, "aa"}, {1, "bb"}, {2, "cc"}};
  input.candidates[0].series[0].answers = {{0, "aa"}, {1, "XX"}, {7, "zz"}};
  const GateReport changed = JudgeGate(input).value();
  ASSERT_EQ(changed.lines.size(), 2U);
  EXPECT_EQ(changed.lines[1].verdict.metric, "answers_differing");
  EXPECT_EQ(changed.lines[1].verdict.finding, Finding::kWarning);
  EXPECT_EQ(changed.lines[1].verdict.observed, 1);
  EXPECT_EQ(changed.lines[1].verdict.n, 2);
  EXPECT_THAT(changed.lines[1].verdict.reason, HasSubstr("those to requests 1 differ"));
  EXPECT_EQ(changed.exit, ExitCode::kPass);
  EXPECT_THAT(changed.confirmations, IsEmpty());  // an A/B of times says nothing of answers
  input.candidates[0].series[0].answers[1] = "bb";
  EXPECT_EQ(JudgeGate(input)->lines[1].verdict.finding, Finding::kNoChange);
}

TEST(Gate, MoreFailedRequestsAreAWarning) {
  GateSides input = Input({Night(2, kBase)});
  input.candidates[0].series[0].requests_failed = 3;
  EXPECT_THAT(Findings(*JudgeGate(input)), ElementsAre(Finding::kNoChange, Finding::kWarning));
  input.baseline.series[0].requests_failed = 3;
  EXPECT_THAT(Findings(*JudgeGate(input)), ElementsAre(Finding::kNoChange));
}

TEST(Gate, PublishedFiguresAreShownBeside) {
  GateSides input = Input({Night(2, kBase)});
  Baseline published = Night(1, {8});
  published.kind = "published";
  published.series[0].metrics[kMetric].note = "n = 1";
  input.published = {published};
  const GateReport report = JudgeGate(input).value();
  ASSERT_EQ(report.published.size(), 1U);
  EXPECT_EQ(report.published[0].verdict.finding, Finding::kNotJudged);
  EXPECT_NEAR(*report.published[0].verdict.observed, 1.25, 1e-12);
  EXPECT_EQ(report.exit, ExitCode::kPass);
}

TEST(Gate, TheFenceOfItsHistory) {
  GateSides input = Input({Night(2, {11.5})});
  input.fences[{"00000000deadbeef", kMetric}] = {8, 12};
  EXPECT_THAT(Findings(*JudgeGate(input)), ElementsAre(Finding::kInsufficientData));
  input.fences[{"00000000deadbeef", kMetric}] = {8, 11};
  EXPECT_THAT(Findings(*JudgeGate(input)), ElementsAre(Finding::kWarning));
}

TEST(ShellLine, QuotesWhatAShellWouldRead) {
  EXPECT_EQ(ShellLine({"a", "b c", "it's", "", "$(x)"}), R"(a 'b c' 'it'\''s' '' '$(x)')");
}

}  // namespace
}  // namespace harness
