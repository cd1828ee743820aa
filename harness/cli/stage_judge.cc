// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/stage_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "backend/base/clock.h"

#include "harness/measure/metric_check.h"
#include "harness/measure/stage_verdict.h"

namespace harness {
namespace {

bool Concerns(const Expectation& expectation, const Stage& stage) {
  return expectation.stage.empty() || expectation.stage == stage.name;
}

// Gates on times matter where a judged number depends on them.
bool JudgesTimes(const Scenario& scenario, const Stage& stage) {
  if (!scenario.timing_judged) return false;
  const bool expects = std::ranges::any_of(scenario.expect, [&](const Expectation& e) {
    return Concerns(e, stage) && !e.answer && IsTiming(e.metric);
  });
  return expects || scenario.ab.has_value();
}

std::string_view AnswerName(AnswerRule rule) {
  switch (rule) {
    case AnswerRule::kEquals: return "equals";
    case AnswerRule::kContains: return "contains";
    case AnswerRule::kMatches: return "matches";
    case AnswerRule::kChain: return "chain";
  }
  return "";
}

Verdict JudgeAnswers(const Expectation& expectation, const StageSummary& summary,
                     const AnswerTally* tally) {
  Verdict verdict = VerdictOn(summary, VerdictKind::kExpectation, "answers_wrong");
  verdict.op = "==";
  verdict.limit = 0;
  if (tally == nullptr) {
    verdict.finding = Finding::kNotJudged;
    verdict.reason =
        fmt::format("answer {}: not for this target", AnswerName(expectation.answer->rule));
    return verdict;
  }
  verdict.observed = static_cast<double>(tally->wrong);
  verdict.n = tally->asked;
  // No answer at all is no right answer.
  verdict.finding = tally->wrong == 0 && tally->asked > 0 ? Finding::kPass : Finding::kFail;
  verdict.reason = tally->asked == 0 ? "no request was answered"
                   : tally->wrong == 0
                       ? fmt::format("answer {}: all {} right",
                                     AnswerName(expectation.answer->rule), tally->asked)
                       : fmt::format("{} of {} answers are wrong: {}", tally->wrong, tally->asked,
                                     tally->example);
  return verdict;
}

Verdict CountGate(const StageSummary& summary, std::string metric, std::int64_t count,
                  std::string reason) {
  Verdict verdict = VerdictAtMost(summary, VerdictKind::kGate, std::move(metric),
                                  static_cast<double>(count), 0, std::move(reason));
  if (verdict.finding == Finding::kFail) verdict.finding = Finding::kInvalid;
  return verdict;
}

// When the request after the last one would have been due: so many requests over so many intervals
// are the rate that was asked for.
std::int64_t EndOfArrivals(const StageOutcome& outcome) {
  const std::int64_t span = outcome.last_start_ns - outcome.begin_ns;
  return outcome.last_start_ns + (outcome.started > 1 ? span / (outcome.started - 1) : 0);
}

// Whether the arrivals ended before the stage's time was over: by their number, or with the trace.
bool RanOut(const Stage& stage, const StageOutcome& outcome) {
  const auto& trace = std::get<OpenLoop>(stage.load).trace;
  return (stage.requests && outcome.started >= *stage.requests) ||
         (!trace.empty() && outcome.started >= static_cast<std::int64_t>(trace.size()));
}

StagePlan MakePlan(const Scenario& scenario, const Stage& stage, const StageOutcome& outcome) {
  StagePlan plan;
  if (const auto* closed = std::get_if<ClosedLoop>(&stage.load)) {
    plan.concurrency = closed->concurrency;
  } else {
    plan.window_start_ns = outcome.begin_ns;
    plan.window_end_ns = EndOfArrivals(outcome);
    if (stage.duration) {
      const auto end = outcome.begin_ns + rocm::Nanoseconds(*stage.duration).count();
      plan.window_end_ns = RanOut(stage, outcome) ? std::min(end, plan.window_end_ns) : end;
    }
  }
  if (scenario.workload.exact_output) {
    const auto* fixed = std::get_if<FixedLength>(&scenario.workload.output_tokens);
    if (fixed != nullptr) plan.fixed_output_tokens = fixed->tokens;
  }
  plan.caching_expected = scenario.workload.cache_prompt;
  plan.limits = {scenario.slo.ttft_ms, scenario.slo.tpot_ms, scenario.slo.e2e_ms};
  return plan;
}

}  // namespace

bool JudgedHere(JudgedOn on, const TargetFacts& target) {
  switch (on) {
    case JudgedOn::kAnywhere: return true;
    case JudgedOn::kHardware: return target.kind != TargetKind::kMock;
    case JudgedOn::kMock: return target.kind == TargetKind::kMock;
    case JudgedOn::kChain: return target.chain;
  }
  return false;
}

std::vector<AnswerChecker> MakeCheckers(const Scenario& scenario, const Stage& stage,
                                        const TargetFacts& target) {
  std::vector<AnswerChecker> checkers;
  for (const Expectation& expectation : scenario.expect) {
    if (!expectation.answer || !Concerns(expectation, stage)) continue;
    if (JudgedHere(expectation.on, target)) checkers.emplace_back(*expectation.answer);
  }
  return checkers;
}

JudgedStage SummariseStage(const RunPlace& place, const Scenario& scenario, const Stage& stage,
                           const StageRecords& records, const StageOutcome& outcome) {
  JudgedStage judged;
  const StagePlan plan = MakePlan(scenario, stage, outcome);
  judged.summary = Summarise(records.records, plan);
  StageSummary& summary = judged.summary;
  summary.scenario = place.scenario;
  summary.variant = place.variant;
  summary.round = place.round;
  summary.stage = stage.name;
  summary.counts["length_mismatches"] = records.output_length_mismatches;
  summary.counts["prompt_length_mismatches"] = records.prompt_length_mismatches;
  summary.counts["answers_degenerate"] = records.degenerate;

  GateInput input;
  input.open_loop = std::holds_alternative<OpenLoop>(stage.load);
  input.timing_judged = JudgesTimes(scenario, stage);
  input.busiest_thread_share = outcome.busiest;
  input.caching_expected = plan.caching_expected;
  judged.gates = JudgeGates(summary, records.records, input);
  if (scenario.workload.exact_output) {
    judged.gates.push_back(
        CountGate(summary, "length_mismatches", records.output_length_mismatches,
                  fmt::format("{} answers did not have the length that was asked for",
                              records.output_length_mismatches)));
  }
  judged.gates.push_back(
      CountGate(summary, "prompt_length_mismatches", records.prompt_length_mismatches,
                fmt::format("the server counted other lengths than were made for {} prompts",
                            records.prompt_length_mismatches)));
  // Nothing passes by having no samples.
  if (records.records.empty()) {
    judged.gates.push_back(CountGate(summary, "stages_without_requests", 1,
                                     "no request was due in this stage's time"));
  }
  if (input.open_loop) judged.saturation = DetectSaturation(summary, records.records);
  return judged;
}

std::optional<Verdict> JudgeDegeneration(const Scenario& scenario, const StageSummary& summary,
                                         const std::string& example, const TargetFacts& target) {
  const auto count = summary.counts.find("answers_degenerate");
  if (count == summary.counts.end() || count->second == 0) return std::nullopt;
  const Prompt& prompt = scenario.workload.prompt;
  const bool meaningful =
      std::holds_alternative<TextPrompts>(prompt) || std::holds_alternative<MessagesPrompt>(prompt);
  Verdict verdict = VerdictOn(summary, VerdictKind::kExpectation, "answers_degenerate");
  verdict.op = "==";
  verdict.limit = 0;
  verdict.observed = static_cast<double>(count->second);
  verdict.n = summary.requests_ok;
  verdict.reason =
      fmt::format("{} of {} answers are garbage: {}", count->second, summary.requests_ok, example);
  verdict.finding = meaningful ? Finding::kFail : Finding::kWarning;
  if (!meaningful) verdict.reason += "; the prompts mean nothing either";
  if (scenario.random_weights || target.random_weights) {
    verdict.finding = Finding::kNotJudged;
    verdict.reason += "; random weights are not judged";
  }
  return verdict;
}

std::vector<Verdict> JudgeExpectations(const Scenario& scenario, const Stage& stage,
                                       const StageSummary& summary,
                                       std::span<const AnswerTally> answers,
                                       const TargetFacts& target, const Calibration* calibration) {
  std::vector<Verdict> verdicts;
  std::size_t next_answer = 0;
  for (const Expectation& expectation : scenario.expect) {
    if (!Concerns(expectation, stage)) continue;
    const bool here = JudgedHere(expectation.on, target);
    if (expectation.answer) {
      const AnswerTally* tally = here ? &answers[next_answer++] : nullptr;
      verdicts.push_back(JudgeAnswers(expectation, summary, tally));
      continue;
    }
    MetricCheck check;
    check.metric = expectation.metric;
    check.op = ToString(expectation.op);
    check.value = expectation.value;
    check.judged = here;
    check.timing_judged = scenario.timing_judged;
    std::optional<double> bound;
    if (calibration != nullptr) bound = ErrorBound(*calibration, summary, expectation.metric);
    verdicts.push_back(Judge(check, summary, bound));
  }
  return verdicts;
}

}  // namespace harness
