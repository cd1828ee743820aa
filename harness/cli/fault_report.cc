// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/fault_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "backend/http/control_client.h"
#include "harness/cli/session_events.h"
#include "harness/cli/stage_judge.h"
#include "harness/measure/metric_check.h"
#include "harness/measure/stage_verdict.h"

namespace harness {
namespace {

std::int64_t TokensBy(const RequestRecord& record, std::int64_t ns) {
  std::int64_t tokens = 0;
  for (const ChunkTime& chunk : record.chunks) {
    if (chunk.at_ns <= ns) tokens += std::max(chunk.tokens, 1);
  }
  return tokens;
}

// The medians of a single injection are its values.
Json ValuesOf(const Injection& injection) {
  const StageSummary one = SummariseFaults({&injection, 1}, "", "");
  Json json = Json::object();
  for (const auto& [name, distribution] : one.distributions) {
    if (name != "told_ms" && distribution.n == 1) json[name] = distribution.max;
  }
  if (const auto told = FindStatistic(one, "told_ms.max")) json["told_ms_max"] = told->value;
  Json streams = Json::object();
  for (const auto& [name, count] : one.counts) {
    if (name.starts_with("struck_")) streams[name.substr(7)] = count;
  }
  json["streams"] = std::move(streams);
  return json;
}

Verdict Promise(const StageSummary& summary, std::string metric, double observed, double limit,
                std::string reason) {
  return VerdictAtMost(summary, VerdictKind::kExpectation, std::move(metric), observed, limit,
                       std::move(reason));
}

// What every fault scenario promises.
std::vector<Verdict> JudgePromises(const FaultPlan& plan, const StageSummary& summary) {
  std::vector<Verdict> verdicts;
  const auto count = [&](const char* name) { return static_cast<double>(summary.counts.at(name)); };
  verdicts.push_back(Promise(summary, "not_recovered", count("not_recovered"), 0,
                             fmt::format("from {} of {} faults the server did not recover",
                                         count("not_recovered"), summary.requests)));
  if (const auto slowest = FindStatistic(summary, "recovery_ms.max")) {
    const auto limit = static_cast<double>(plan.recover_within.count());
    verdicts.push_back(Promise(summary, "recovery_ms.max", slowest->value, limit,
                               fmt::format("the slowest recovery took {:.4g} ms, allowed are {:g}",
                                           slowest->value, limit)));
  }
  verdicts.push_back(Promise(summary, "processes_left", count("processes_left"), 0,
                             fmt::format("{} of {} processes were left behind",
                                         count("processes_left"), summary.requests)));
  // A plan that allows a restart for each fault does not mean to be refused one.
  if (plan.restart.max_restarts >= plan.repeat && count("policy_refused") > 0) {
    verdicts.push_back(Promise(summary, "policy_refused", count("policy_refused"), 0,
                               "the restart policy refused although it had restarts left"));
  }
  if (const double missed = count("moment_missed"); missed > 0) {
    Verdict verdict = VerdictAtMost(summary, VerdictKind::kGate, "moment_missed", missed, 0,
                                    fmt::format("{} of {} faults did not strike in {}", missed,
                                                summary.requests, ToString(plan.moment)));
    verdict.finding = Finding::kWarning;
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

Stage RecoveryStage() {
  Stage stage;
  stage.name = kRecoveryStage;
  return stage;
}

}  // namespace

bool MomentHit(const FaultPlan& plan, const Injection& injection) {
  return std::ranges::any_of(InFlightAt(injection), [&](const RequestRecord* stream) {
    if (plan.moment == FaultMoment::kDecode) {
      return TokensBy(*stream, injection.injected_ns) >= plan.after_tokens;
    }
    return stream->sent_ns != 0 && stream->sent_ns <= injection.injected_ns &&
           TokensBy(*stream, injection.injected_ns) == 0;
  });
}

bool IsSilent(const rocm::http::Endpoint& endpoint, std::chrono::milliseconds limit) {
  rocm::http::CallOptions options;
  options.deadline = limit;
  const auto reply = rocm::http::ControlClient(endpoint).Get("/health", options);
  return !reply && reply.error().code == rocm::ErrorCode::kDeadlineExceeded;
}

void NoteInjection(RunContext& context, const RunPlace& place, const FaultPlan& plan, pid_t pid,
                   const Injection& injection) {
  const auto streams = InFlightAt(injection);
  std::int64_t tokens = 0;
  for (const RequestRecord* stream : streams) tokens += TokensBy(*stream, injection.injected_ns);
  Json detail{{"action", ToString(plan.action)},
              {"moment", ToString(plan.moment)},
              {"moment_hit", injection.moment_hit},
              {"injection", place.round + 1},
              {"of", plan.repeat},
              {"streams", streams.size()},
              {"tokens", tokens}};
  if (pid > 0) detail["pid"] = pid;
  context.log.Note(place, "fault_injected", std::move(detail), injection.injected_ns);
}

void NoteRecovery(RunContext& context, const RunPlace& place, const FaultPlan& plan,
                  const Injection& injection) {
  Json detail{{"injection", place.round + 1}};
  if (injection.survived) detail["survived"] = true;
  detail.update(ValuesOf(injection));
  if (const auto first = FirstTokenAfter(injection)) {
    context.log.Note(place, "server_recovered", std::move(detail), *first);
    return;
  }
  if (injection.policy_refused) {
    detail["restarts"] = place.round;
    detail["max_restarts"] = plan.restart.max_restarts;
    detail["window_ms"] = plan.restart.window.count();
  }
  context.log.Note(place, injection.policy_refused ? "crash_loop_ended" : "not_recovered",
                   std::move(detail));
}

Scenario WithoutFaultExpectations(const Scenario& scenario) {
  Scenario stages = scenario;
  std::erase_if(stages.expect, [](const Expectation& expectation) {
    return expectation.stage.empty() || expectation.stage == kRecoveryStage;
  });
  return stages;
}

void ConcludeFaults(RunContext& context, const Scenario& scenario, const std::string& variant,
                    const TargetFacts& facts, std::span<const Injection> injections) {
  StageReport report;
  report.scenario = scenario.name;
  report.variant = variant;
  report.stage = RecoveryStage();
  report.workload = scenario.workload;
  report.timing_judged = scenario.timing_judged;
  report.summary = SummariseFaults(injections, scenario.name, variant);
  SummaryContext written;
  written.settings = RequestedSettings(scenario);
  written.timing_judged = scenario.timing_judged;
  context.log.Write(report.summary, written);
  report.verdicts = JudgePromises(*scenario.fault, report.summary);
  std::ranges::move(JudgeExpectations(scenario, report.stage, report.summary, {}, facts, nullptr),
                    std::back_inserter(report.verdicts));
  for (const Verdict& verdict : report.verdicts) context.log.Write(verdict);
  context.report.stages.push_back(std::move(report));
}

void ReportNotJudged(RunContext& context, const Scenario& scenario, const std::string& why) {
  StageReport report;
  report.scenario = scenario.name;
  report.stage = RecoveryStage();
  report.summary = SummariseFaults({}, scenario.name, "");
  Verdict verdict = Promise(report.summary, "not_recovered", 0, 0, why);
  verdict.finding = Finding::kNotJudged;
  verdict.observed.reset();
  context.log.Write(verdict);
  context.progress.Say(fmt::format("{}: not run: {}", scenario.name, why));
  report.verdicts.push_back(std::move(verdict));
  context.report.stages.push_back(std::move(report));
}

}  // namespace harness
