// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/stage_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "harness/cli/session_events.h"
#include "harness/cli/telemetry_gates.h"
#include "harness/measure/bandwidth_use.h"
#include "harness/measure/clock_reconciliation.h"
#include "harness/target/server_counters.h"

namespace harness {
namespace {

Json DescribeOutcome(const StageOutcome& outcome) {
  return {{"started", outcome.started},
          {"seconds", static_cast<double>(outcome.end_ns - outcome.begin_ns) * 1e-9},
          {"load_threads", outcome.threads},
          {"client_cpu_ms", Milliseconds(outcome.cpu)},
          {"client_cpu_share", outcome.busiest},
          {"chunks", outcome.chunks}};
}

void AddEnergy(const Energy& energy, const std::vector<RequestRecord>& records,
               StageSummary& summary) {
  std::int64_t tokens = 0;
  for (const RequestRecord& record : records) tokens += record.tokens;
  const auto add = [&](const std::string& name, const std::optional<double>& joules) {
    if (!joules) return;
    summary.values[name] = *joules;
    if (tokens > 0) summary.values[name + "_per_token"] = *joules / static_cast<double>(tokens);
  };
  add("energy_j", energy.gpu_j);
  add("cpu_energy_j", energy.cpu_j);
}

void AddSaturation(const Saturation& saturation, Json& detail) {
  detail["saturated"] = saturation.saturated;
  detail["completed_share"] = saturation.completed_share;
  detail["ttft_growth"] = saturation.ttft_growth;
}

StageOrder Order(RunContext& context, const Target& target, const StageTask& task,
                 const StageProgress& progress) {
  StageOrder order = context.Order();
  if (task.on_tick) order = std::max(order, task.on_tick(progress));
  // Everything from here on would fail in the same way.
  return target.alive() ? order : std::max(order, StageOrder::kDrain);
}

}  // namespace

rocm::Error ServerEnded(const Target& target) {
  rocm::Error error;
  error.code = rocm::ErrorCode::kServerExited;
  error.message = "the server ended during the run";
  return target.Explain(error);
}

StageResult PassStage(RunContext& context, RunningServer& server, const StageTask& task) {
  const Stage& stage = *task.stage;
  Target& target = server.target();
  RunPlace place = task.place;
  place.stage = stage.name;
  const std::string label = fmt::format("{} · {}", ToString(place), stage.name);
  context.progress.Phase(label);
  if (!task.at_once) context.log.Note(place, "stage_started", {{"record", stage.record}});
  const std::vector<AnswerChecker> checkers = MakeCheckers(*task.scenario, stage, target.facts());
  Recorder& recorder = context.recorder;
  recorder.BeginStage(&target, &checkers, stage.record, task.scenario->ab.has_value());
  StagePlanInput input;
  input.stage = &stage;
  input.factory = task.factory;
  input.endpoint = target.endpoint();
  input.scenario = place.scenario;
  input.variant = place.variant;
  input.round = place.round;
  input.threads = context.options.load_threads;
  input.on_finished = [&](FinishedRequest&& request) { recorder.Push(std::move(request)); };
  input.on_tick = [&](const StageProgress& progress) {
    context.progress.Stage(label, stage, progress, recorder);
    return Order(context, target, task, progress);
  };
  input.on_started = task.on_started;
  input.on_tokens = task.on_tokens;
  input.tick = task.tick;
  const bool counted = !task.at_once && stage.record && target.facts().llama_server;
  const auto before = counted ? ReadServerCounters(target.endpoint()) : std::nullopt;
  if (!task.at_once) {
    (void)server.sampler().TakeEnergy();
    (void)server.sampler().TakeFlags();
  }
  StageResult result;
  result.outcome = RunStage(input);
  Energy energy;
  std::vector<TelemetryFlag> flags;
  if (task.at_once) {
    context.log.Note(place, "stage_started", {{"record", stage.record}}, result.outcome.begin_ns);
  } else {
    energy = server.sampler().TakeEnergy();
    flags = server.sampler().TakeFlags();
  }
  result.records = recorder.EndStage();
  result.server_died = !target.alive();

  Json detail = DescribeOutcome(result.outcome);
  if (result.outcome.cut_short) {
    detail["cut_short"] = result.server_died ? "the server ended" : "interrupted";
  }
  const StageRecords& records = result.records;
  if (!stage.record && records.warm_up_failures > 0) {
    detail["warm_up_failures"] = records.warm_up_failures;
    detail["first_failure"] = records.first_failure;
    context.progress.Say(fmt::format("{}: {} warm-up requests failed: {}", label,
                                     records.warm_up_failures, records.first_failure));
  }
  if (stage.record && !(records.records.empty() && result.outcome.cut_short)) {
    const auto after =
        counted && !result.server_died ? ReadServerCounters(target.endpoint()) : std::nullopt;
    detail["clocks"] = DescribeClocks(ReconcileStage(records.records, before, after));
    result.judged = SummariseStage(place, *task.scenario, stage, records, result.outcome);
    StageSummary& summary = result.judged->summary;
    AddEnergy(energy, records.records, summary);
    if (server.bandwidth()) AddBandwidthUse(*server.bandwidth(), summary);
    summary.values.merge(server.TakeLoadValues());
    std::ranges::move(JudgeTelemetry(flags, summary), std::back_inserter(result.judged->gates));
    if (result.judged->saturation) AddSaturation(*result.judged->saturation, detail);
  }
  context.log.Note(place, "stage_finished", std::move(detail));
  return result;
}

}  // namespace harness
