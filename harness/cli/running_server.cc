// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/running_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "harness/cli/session_events.h"

namespace harness {
namespace {

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
                                                                 RunPlace place) {
  place.stage.clear();
  context.progress.Phase(
      fmt::format("{} · starting {}", ToString(place), context.options.target_text));
  auto target = OpenTarget(options, scenario.server, MaxStreams(scenario), context.signals.soft());
  if (!target) {
    if (context.interrupted()) {
      return rocm::Fail(rocm::ErrorCode::kCancelled, "interrupted while the server started");
    }
    context.log.Note(place, "load_failed", DescribeError(target.error()));
    return tl::unexpected(target.error());
  }
  std::string key = options.kind == TargetKind::kAttached ? options.url : options.model;
  std::unique_ptr<RunningServer> server(
      new RunningServer(context, std::move(place), *std::move(target), std::move(key)));
  context.log.Note(server->place_, "server_started", DescribeServer(server->facts(), scenario));
  if (const auto load = server->facts().load_duration) {
    context.log.Note(server->place_, "server_ready", {{"load_ms", Milliseconds(*load)}});
  }
  server->StartSampling();
  for (const std::string& line : server->facts().not_available) {
    context.progress.Say(fmt::format("not available: {}", line));
  }
  return server;
}

RunningServer::RunningServer(RunContext& context, RunPlace place, std::unique_ptr<Target> target,
                             std::string model_key)
    : context_(context),
      place_(std::move(place)),
      target_(std::move(target)),
      model_key_(std::move(model_key)) {}

RunningServer::~RunningServer() { Close("the run ended early"); }

void RunningServer::Close(const std::string& why) {
  if (std::exchange(closed_, true)) return;
  sampler_.reset();
  const bool was_alive = target_->alive();
  const milliseconds grace = context_.signals.hard().stop_requested() ? milliseconds(0)
                             : context_.interrupted()                 ? kInterruptedGrace
                                                                      : kStopGrace;
  const rocm::TimePoint begin = rocm::Now();
  const auto stopped = target_->Stop(grace);
  if (target_->facts().kind == TargetKind::kAttached) return;
  Json detail{{"why", was_alive ? why : "it had ended by itself"},
              {"stop_ms", Milliseconds(rocm::Now() - begin)}};
  if (!stopped) detail["error"] = DescribeError(stopped.error());
  context_.log.Note(place_, was_alive ? "server_stopped" : "server_exited", std::move(detail));
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
