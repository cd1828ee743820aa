// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/session.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "harness/cli/ab_scenario.h"
#include "harness/cli/fault_scenario.h"
#include "harness/cli/gpu_facts.h"
#include "harness/cli/load_scenario.h"
#include "harness/cli/model_file.h"
#include "harness/cli/run_context.h"
#include "harness/cli/session_events.h"
#include "harness/cli/version.h"
#include "harness/scenario/loader.h"

namespace harness {
namespace {

void RunScenario(RunContext& context, const Scenario& scenario) {
  switch (scenario.kind) {
    case ScenarioKind::kLoad: return RunLoadScenario(context, scenario);
    case ScenarioKind::kAb: return RunAbScenario(context, scenario);
    case ScenarioKind::kFault: return RunFaultScenario(context, scenario);
  }
}

}  // namespace

Session::Session(const RunOptions& options, const StopSignals& signals, Progress& progress)
    : options_(options), signals_(signals), progress_(progress) {
  if (options.target.kind == TargetKind::kLlamaServer) inventory_ = rocm::gpu::Probe();
}

rocm::Result<RunReport> Session::Run(const std::vector<Scenario>& scenarios) {
  const auto header = Header(scenarios);
  if (!header) return tl::unexpected(header.error());
  const auto log = RunLog::Open(options_, *header);
  if (!log) return tl::unexpected(log.error());
  RunContext context(options_, signals_, progress_, **log, inventory_);
  context.report.run_id = (*log)->writer().run_id();
  context.report.file = (*log)->writer().path();
  for (const Scenario& scenario : scenarios) {
    RunScenario(context, scenario);
    if (context.over()) break;
  }
  RunReport report = std::move(context.report);
  // Of summaries and verdicts too: a pass that is not in its file is none.
  const auto lost = (*log)->writer().first_loss();
  report.end = JudgeRun(report, lost, context.interrupted());
  const auto written = (*log)->End(report.end);
  if (!written && !lost) {
    report.end = JudgeRun(report, written.error(), context.interrupted());
    progress_.Say(fmt::format("rocm-bench: {}", written.error().message));
  }
  return report;
}

rocm::Result<RunHeader> Session::Header(const std::vector<Scenario>& scenarios) const {
  RunHeader header;
  header.tool_version = kToolVersion;
  header.command = options_.command;
  header.target = options_.target_text;
  for (const std::string& file : options_.files) {
    if (std::filesystem::path(file).extension() == ".txt") {
      header.suite = std::filesystem::path(file).filename().string();
    }
  }
  for (const Scenario& scenario : scenarios) {
    header.scenarios.push_back(Json::parse(ToJson(scenario)));
    header.seeds[scenario.name] = scenario.workload.seed;
  }
  FingerprintInput input;
  const auto backend = BackendName(options_.target);
  if (!backend) return tl::unexpected(backend.error());
  input.backend_kind = *backend;
  if (options_.target.kind != TargetKind::kAttached) {
    auto facts = ReadModelFacts(options_.target.model);
    if (!facts) return tl::unexpected(facts.error());
    input.model = *std::move(facts);
  }
  for (const rocm::gpu::Device& device : inventory_.devices) input.gpus.push_back(FactsOf(device));
  header.fingerprint = CollectFingerprint(input);
  header.server.binary = options_.target.server_binary;
  header.calibration = options_.calibration_json;
  return header;
}

}  // namespace harness
