// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/running_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "harness/cli/load_estimate.h"
#include "harness/cli/session_events.h"
#include "harness/scenario/names.h"

namespace harness {
namespace {

using rocm::Nanoseconds;
using std::chrono::milliseconds;

constexpr milliseconds kStopGrace{5'000};
constexpr milliseconds kInterruptedGrace{2'000};

}  // namespace

int MaxStreams(const Scenario& scenario) {
  int most = 1;
  for (const Stage& stage : scenario.stages) {
    const auto* closed = std::get_if<ClosedLoop>(&stage.load);
    most = std::max(most, closed != nullptr ? closed->concurrency
                                            : std::get<OpenLoop>(stage.load).max_in_flight);
  }
  return most;
}

rocm::Result<std::unique_ptr<RunningServer>> RunningServer::Open(RunContext& context,
                                                                 const TargetOptions& options,
                                                                 const Scenario& scenario,
                                                                 RunPlace place, int streams) {
  place.stage.clear();
  context.progress.Phase(
      fmt::format("{} · starting {}", ToString(place), context.options.target_text));
  PageCacheReport page_cache;
  if (options.kind != TargetKind::kAttached) {
    page_cache =
        PreparePageCache(options.model, scenario.server.page_cache, context.signals.soft());
    if (!page_cache.problem.empty()) context.progress.Say(page_cache.problem);
  }
  const MemoryInUse before = ReadMemoryInUse(context.inventory.devices, -1);
  auto target = OpenTarget(options, scenario.server, std::max(streams, MaxStreams(scenario)),
                           context.signals.soft());
  if (!target) {
    if (context.interrupted()) {
      return rocm::Fail(rocm::ErrorCode::kCancelled, "interrupted while the server started");
    }
    context.log.Note(place, "load_failed", DescribeError(target.error()));
    return tl::unexpected(target.error());
  }
  std::string key = options.kind == TargetKind::kAttached ? options.url : options.model;
  std::unique_ptr<RunningServer> server(
      new RunningServer(context, std::move(place), *std::move(target), std::move(key), scenario));
  server->NoteStart(page_cache, before);
  server->memory_before_ = before;
  server->StartSampling();
  for (const std::string& line : server->facts().not_available) {
    context.progress.Say(fmt::format("not available: {}", line));
  }
  return server;
}

RunningServer::RunningServer(RunContext& context, RunPlace place, std::unique_ptr<Target> target,
                             std::string model_key, const Scenario& scenario)
    : context_(context),
      place_(std::move(place)),
      target_(std::move(target)),
      model_key_(std::move(model_key)),
      scenario_(scenario) {}

RestartOutcome RunningServer::AwaitRestart(rocm::TimePoint deadline) {
  sampler_.reset();
  memory_before_ = ReadMemoryInUse(context_.inventory.devices, -1);
  const RestartOutcome outcome = target_->AwaitRestart(deadline, context_.signals.soft());
  if (outcome == RestartOutcome::kServing) restarted_ns_ = rocm::ToNs(rocm::Now());
  return outcome;
}

void RunningServer::NoteRestart(nlohmann::ordered_json exit, std::int64_t exited_ns) {
  context_.log.Note(place_, "server_exited", std::move(exit), exited_ns);
  exit_noted_ = true;
  if (restarted_ns_ == 0) return;
  started_at_ = rocm::Now();
  NoteStart({}, memory_before_, std::exchange(restarted_ns_, 0));
  if (target_->alive()) exit_noted_ = false;
  StartSampling();
}

void RunningServer::NoteStart(const PageCacheReport& page_cache, const MemoryInUse& before,
                              std::int64_t at_ns) {
  RunLog& log = context_.log;
  log.Note(place_, "server_started", DescribeServer(facts(), scenario_), at_ns);
  if (facts().kind == TargetKind::kAttached) return;
  load_values_ =
      LoadValues(facts(), before, ReadMemoryInUse(context_.inventory.devices, facts().pid));
  if (page_cache.resident_share) {
    load_values_["page_cache_resident_ratio"] = *page_cache.resident_share;
  }
  Json ready = Json::object();
  for (const auto& [name, value] : load_values_) ready[name] = value;
  for (const auto& [name, value] : EstimateValues(facts(), model_key_)) ready[name] = value;
  ready["page_cache"] = NameOf(kPageCacheNames, scenario_.server.page_cache);
  if (!page_cache.problem.empty()) ready["page_cache_problem"] = page_cache.problem;
  log.Note(place_, "server_ready", std::move(ready), at_ns);
  bandwidth_ = context_.bandwidth.Find(facts());
  log.Note(place_, "memory_bandwidth", context_.bandwidth.detail(), at_ns);
}

RunningServer::~RunningServer() { Close("the run ended early"); }

void RunningServer::Close(const std::string& why, std::optional<milliseconds> wanted) {
  if (std::exchange(closed_, true)) return;
  const double telemetry_ms = Milliseconds(sampler_ ? sampler_->cpu_time() : Nanoseconds(0));
  sampler_.reset();
  const bool was_alive = target_->alive();
  const milliseconds grace = wanted                                     ? *wanted
                             : context_.signals.hard().stop_requested() ? milliseconds(0)
                             : context_.interrupted()                   ? kInterruptedGrace
                                                                        : kStopGrace;
  const rocm::TimePoint begin = rocm::Now();
  const auto stopped = target_->Stop(grace);
  if (target_->facts().kind == TargetKind::kAttached) return;
  Json detail{{"why", was_alive ? why : "it had ended by itself"},
              {"stop_ms", Milliseconds(rocm::Now() - begin)},
              {"lived_ms", Milliseconds(begin - started_at_)},
              {"telemetry_cpu_ms", telemetry_ms}};
  if (!stopped) detail["error"] = DescribeError(stopped.error());
  if (!was_alive && exit_noted_) return;  // its end has been told
  context_.log.Note(place_, was_alive ? "server_stopped" : "server_exited", std::move(detail));
  NoteReleasedMemory();
}

void RunningServer::NoteReleasedMemory() {
  const std::vector<rocm::gpu::Device>& devices = context_.inventory.devices;
  const MemoryInUse after = ReadMemoryInUse(devices, -1);
  for (std::size_t i = 0; i < devices.size() && i < memory_before_.cards.size(); ++i) {
    const auto& before = memory_before_.cards[i].used;
    if (!before || !after.cards[i].used) continue;
    const std::string name = devices[i].uuid.empty() ? devices[i].name : devices[i].uuid;
    context_.log.Note(
        place_, "memory_released",
        {{"device", name}, {"before_bytes", *before}, {"after_bytes", *after.cards[i].used}});
  }
}

void RunningServer::StartSampling() {
  Sampler::Config config;
  config.server_pid = target_->facts().pid;
  config.devices = context_.inventory.devices;
  // Samples of a server belong to its scenario, not to a stage.
  config.on_sample = [&log = context_.log, place = place_](const TelemetrySample& sample) {
    log.Note(place, "sample", DescribeHost(sample), sample.at_ns);
    for (const DeviceSample& device : sample.devices) {
      log.Note(place, "sample", DescribeDevice(device), sample.at_ns);
      if (device.sensors.throttled.value_or(false)) {
        log.Note(place, "throttled", {{"device", device.device}}, sample.at_ns);
      }
    }
  };
  sampler_ = std::make_unique<Sampler>(std::move(config));
}

}  // namespace harness
