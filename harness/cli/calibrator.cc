// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/calibrator.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "harness/cli/truth_log.h"
#include "harness/load/request_factory.h"
#include "harness/load/stage_runner.h"
#include "harness/target/target.h"

namespace harness {
namespace {

constexpr char kStage[] = "calibrate";

Scenario MakeScenario(const CalibrationLevel& level, const std::string& log) {
  Scenario scenario;
  scenario.name = "calibrate";
  scenario.server.slots = level.concurrency;
  scenario.server.context_per_slot = level.tokens + 64;
  const double jitter = level.phase_aligned ? 0 : 0.1;
  scenario.server.args = {
      "--mock-truth-log", log,
      "--mock-ttft-ms",   fmt::format("{}", 2 * level.token_ms),
      "--mock-token-ms",  fmt::format("{}", level.token_ms),
      "--mock-jitter",    jitter > 0 ? fmt::format("normal:{}", jitter) : "none"};
  scenario.server.args.insert(scenario.server.args.end(), level.server_args.begin(),
                              level.server_args.end());
  scenario.workload.api = WorkloadApi::kNative;
  scenario.workload.prompt = TextPrompts{{"Hello"}};
  scenario.workload.output_tokens = FixedLength{level.tokens};
  scenario.workload.seed = 1;
  Stage stage;
  stage.name = kStage;
  ClosedLoop loop;
  loop.concurrency = level.concurrency;
  // Spread over one interval, so that phases are even from the start.
  if (!level.phase_aligned && level.concurrency > 1) {
    loop.ramp = std::chrono::milliseconds(static_cast<int>(level.token_ms));
  }
  stage.load = loop;
  stage.requests = level.requests;
  scenario.stages = {stage};
  return scenario;
}

}  // namespace

std::vector<CalibrationLevel> StandardLevels() {
  std::vector<CalibrationLevel> levels;
  for (const int concurrency : {1, 4, 16, 64, 256, 1'024}) {
    CalibrationLevel level;
    level.concurrency = concurrency;
    // Enough for a p99 of both kinds of error, or the levels below 256 would not carry theirs.
    level.requests = std::max(2 * concurrency, 96);
    if (concurrency == 1) level.token_ms = 1;
    if (concurrency == 4) level.token_ms = 4;
    if (concurrency == 16) level.token_ms = 10;
    levels.push_back(level);
  }
  return levels;
}

rocm::Result<CalibrationPoint> MeasureLevel(const CalibrationLevel& level, const std::string& model,
                                            const std::filesystem::path& folder,
                                            std::stop_token stop) {
  const std::string log = (folder / fmt::format("truth-{}.jsonl", level.concurrency)).string();
  const Scenario scenario = MakeScenario(level, log);
  TargetOptions options;
  options.model = model;
  auto target = OpenTarget(options, scenario.server, level.concurrency, stop);
  if (!target) return tl::unexpected(target.error());
  const auto factory = RequestFactory::Create(scenario, **target, stop);
  if (!factory) return tl::unexpected(factory.error());

  std::mutex mutex;
  std::vector<RequestRecord> records;
  StagePlanInput input;
  input.stage = &scenario.stages.front();
  input.factory = &*factory;
  input.endpoint = (*target)->endpoint();
  input.on_finished = [&](FinishedRequest&& request) {
    const std::lock_guard lock(mutex);
    records.push_back(std::move(request.record));
  };
  input.on_tick = [&](const StageProgress&) {
    return stop.stop_requested() || !(*target)->alive() ? StageOrder::kCancel : StageOrder::kRun;
  };
  const StageOutcome outcome = RunStage(input);
  // Its log is complete only when it has ended.
  const auto stopped = (*target)->Stop(std::chrono::seconds(5));
  if (!stopped) return tl::unexpected(stopped.error());
  if (stop.stop_requested()) return rocm::Fail(rocm::ErrorCode::kCancelled, "interrupted");

  const auto truth = ReadTruthLog(log);
  if (!truth) return tl::unexpected(truth.error());
  std::vector<StreamTruth> streams;
  for (const RequestRecord& record : records) {
    const std::uint32_t seed =
        SamplingSeed(scenario.workload.seed, kStage, record.round, record.index);
    const auto found = truth->find(seed);
    streams.push_back(found == truth->end() ? StreamTruth{} : found->second.stream);
  }
  std::error_code ignored;
  std::filesystem::remove(log, ignored);
  return Calibrate(level.concurrency, records, streams,
                   static_cast<double>(outcome.cpu.count()) * 1e-9);
}

}  // namespace harness
