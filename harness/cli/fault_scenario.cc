// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/fault_scenario.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "harness/cli/fault_report.h"
#include "harness/cli/fault_trigger.h"
#include "harness/cli/own_children.h"
#include "harness/cli/running_server.h"
#include "harness/cli/session_events.h"
#include "harness/cli/unmasked_gpus.h"
#include "harness/cli/variant_rounds.h"
#include "harness/cli/vram_release.h"
#include "harness/measure/fault_summary.h"
#include "harness/scenario/sweep.h"

namespace harness {
namespace {

using std::chrono::milliseconds;

// A start that was over before it could be struck is tried again so often.
constexpr int kLoadAttempts = 5;
constexpr milliseconds kReapTime{1'000};

// One variant while it runs.
class FaultRun {
 public:
  FaultRun(RunContext& context, const Scenario& scenario, std::string variant)
      : context_(context),
        scenario_(scenario),
        plan_(*scenario.fault),
        variant_(std::move(variant)),
        options_(context.options.target),
        unmasking_(context, plan_.action == FaultAction::kUnmask) {
    options_.restart = plan_.restart;
    unmasking_.Prepare(options_, scenario_);
    const auto first = std::ranges::find_if(scenario_.stages, &Stage::record);
    const bool load = plan_.moment == FaultMoment::kLoad;
    warm_ups_ = {scenario_.stages.begin(), first};
    if (!load) struck_ = *first;
    after_ = {load ? first : first + 1, scenario_.stages.end()};
  }
  void Run();

 private:
  [[nodiscard]] RunPlace Place(int round) const { return {scenario_.name, variant_, round, ""}; }
  // `ready_ns`, if given: when the server was.
  [[nodiscard]] bool Open(int round, std::optional<std::int64_t>* ready_ns = nullptr);
  [[nodiscard]] bool WarmUp(int round);
  void StrikeRunning(int round, Injection& injection);
  void StrikeLoad(int round, Injection& injection);
  // False where it was ready too soon: to be tried again.
  [[nodiscard]] bool StrikeOneLoad(int round, Injection& injection, pid_t& pid);
  [[nodiscard]] bool Adopt(std::unique_ptr<RunningServer> server);
  [[nodiscard]] std::vector<RequestRecord> PassStruck(int round, FaultTrigger& trigger);
  // The detail of server_exited; nullopt where it did not end.
  [[nodiscard]] std::optional<Json> AwaitNewServer(ExitWatch& watch, Injection& injection);
  void ReplaceHungServer(int round, Injection& injection);
  void PassAfter(int round, Injection& injection);
  void CheckChildren(Injection& injection, pid_t struck) const;
  [[nodiscard]] StageResult Pass(const Stage& stage, StageTask task, int round);

  RunContext& context_;
  Scenario scenario_;
  const FaultPlan plan_;
  const std::string variant_;
  TargetOptions options_;
  Unmasking unmasking_;
  std::vector<Stage> warm_ups_;
  std::optional<Stage> struck_;
  std::vector<Stage> after_;
  std::unique_ptr<RunningServer> server_;
  std::optional<RequestFactory> factory_;
  std::optional<TargetFacts> facts_;
  VariantRounds kept_;
  std::vector<Injection> injections_;
};

void FaultRun::Run() {
  for (int round = 0; round < plan_.repeat && !context_.over(); ++round) {
    Injection injection;
    if (plan_.moment == FaultMoment::kLoad) {
      StrikeLoad(round, injection);
    } else {
      if ((server_ == nullptr || !server_->target().alive()) && !Open(round)) break;
      if (round == 0 && !WarmUp(round)) break;
      StrikeRunning(round, injection);
    }
    if (injection.injected_ns == 0) break;  // interrupted before it came to that
    const bool refused = injection.policy_refused;
    // Ctrl-C in the aftermath is no failed recovery.
    if (context_.interrupted() && !refused && !FirstTokenAfter(injection)) break;
    NoteRecovery(context_, Place(round), plan_, injection);
    injections_.push_back(std::move(injection));
    if (refused) break;
  }
  if (server_ != nullptr) server_->Close("the scenario is over");
  server_.reset();
  // Whatever was struck, replaced or refused: nothing that was started here is left.
  if (!injections_.empty() && !OwnChildren().empty()) injections_.back().process_left = true;
  if (!facts_ || injections_.empty()) return;
  // The stages first, then what the faults themselves gave.
  kept_.Conclude(context_, WithoutFaultExpectations(scenario_), variant_, *facts_);
  ConcludeFaults(context_, scenario_, variant_, *facts_, injections_);
}

bool FaultRun::Open(int round, std::optional<std::int64_t>* ready_ns) {
  if (server_ != nullptr) server_->Close("the next one starts");
  server_.reset();
  TargetOptions options = options_;
  options.on_progress = [ready_ns](const rocm::LoadProgress& progress) {
    if (ready_ns != nullptr && progress.state == rocm::LoadProgress::State::kReady) {
      *ready_ns = rocm::ToNs(rocm::Now());
    }
  };
  auto server = RunningServer::Open(context_, options, scenario_, Place(round));
  if (!server) {
    if (!context_.interrupted()) context_.report.failure = server.error();
    return false;
  }
  return Adopt(*std::move(server));
}

bool FaultRun::Adopt(std::unique_ptr<RunningServer> server) {
  server_ = std::move(server);
  facts_ = server_->facts();
  if (factory_) return true;
  auto factory = RequestFactory::Create(scenario_, server_->target(), context_.signals.soft(),
                                        &context_.words[server_->model_key()]);
  if (!factory) {
    if (!context_.interrupted()) context_.report.failure = factory.error();
    return false;
  }
  factory_ = *std::move(factory);
  return true;
}

StageResult FaultRun::Pass(const Stage& stage, StageTask task, int round) {
  task.scenario = &scenario_;
  task.stage = &stage;
  task.factory = &*factory_;
  task.place = Place(round);
  return PassStage(context_, *server_, task);
}

bool FaultRun::WarmUp(int round) {
  for (const Stage& stage : warm_ups_) {
    StageResult result = Pass(stage, {}, round);
    if (result.server_died) {
      context_.report.failure = ServerEnded(server_->target());
      return false;
    }
  }
  return !context_.over();
}

std::vector<RequestRecord> FaultRun::PassStruck(int round, FaultTrigger& trigger) {
  StageTask task;
  task.on_started = [&trigger] { trigger.OnStarted(); };
  task.on_tokens = [&trigger](std::int64_t tokens) { trigger.OnTokens(tokens); };
  // Nothing more is sent to a server that was struck, and what follows is not to wait.
  task.tick = milliseconds(2);
  task.on_tick = [&trigger](const StageProgress&) {
    return trigger.struck_ns() != 0 ? StageOrder::kDrain : StageOrder::kRun;
  };
  StageResult result = Pass(*struck_, std::move(task), round);
  std::vector<RequestRecord> records = result.records.records;
  kept_.Add(*struck_, std::move(result));
  return records;
}

void FaultRun::StrikeRunning(int round, Injection& injection) {
  server_->set_round(round);
  const pid_t pid = server_->facts().pid;
  const MemoryInUse before = ReadMemoryInUse(context_.inventory.devices, pid);
  FaultTrigger trigger(plan_, pid);
  ExitWatch watch(server_->target().exit_fd(), server_->target().RestartProbe());
  ReleaseWatch release(context_.inventory.devices, before, watch);
  injection.struck = PassStruck(round, trigger);
  if (context_.interrupted() && trigger.struck_ns() == 0) return;
  // It ended by itself, before the blow: that is no fault of ours to measure.
  if (trigger.struck_ns() == 0 && !server_->target().alive()) {
    context_.report.failure = ServerEnded(server_->target());
    return;
  }
  const bool idle = plan_.moment == FaultMoment::kIdle;
  const bool late = trigger.Strike();
  injection.injected_ns = trigger.struck_ns();
  injection.moment_hit = idle ? late : !late && MomentHit(plan_, injection);
  if (plan_.action == FaultAction::kStop) {
    watch.Stop();
    NoteInjection(context_, Place(round), plan_, pid, injection);
    ReplaceHungServer(round, injection);
    PassAfter(round, injection);
  } else {
    // What is written about it waits until it has been lived through.
    const auto exit = AwaitNewServer(watch, injection);
    PassAfter(round, injection);
    NoteInjection(context_, Place(round), plan_, pid, injection);
    if (exit) server_->NoteRestart(*exit, *injection.detected_ns);
  }
  release.Finish(injection);
  CheckChildren(injection, pid);
}

std::optional<Json> FaultRun::AwaitNewServer(ExitWatch& watch, Injection& injection) {
  const rocm::TimePoint deadline =
      rocm::TimePoint(rocm::Nanoseconds(injection.injected_ns)) + plan_.recover_within;
  const std::int64_t ended = watch.Await(deadline);
  if (ended == 0) {
    watch.Stop();
    server_->Close("it did not end", milliseconds(0));
    return std::nullopt;
  }
  injection.detected_ns = ended;
  const rocm::Error death = ServerEnded(server_->target());
  Json detail = DescribeError(death);
  detail["detection_ms"] = Milliseconds(rocm::Nanoseconds(ended - injection.injected_ns));
  switch (server_->AwaitRestart(deadline)) {
    case RestartOutcome::kServing: injection.healthy_ns = rocm::ToNs(rocm::Now()); break;
    case RestartOutcome::kRefused: injection.policy_refused = true; break;
    case RestartOutcome::kTimedOut: break;
  }
  watch.Stop();
  // It saw it first: the streams' last words were still being read here.
  if (injection.healthy_ns && watch.served_ns() != 0) injection.healthy_ns = watch.served_ns();
  facts_ = server_->facts();
  return detail;
}

// A process that stands still keeps its sockets and its memory: nothing but its silence tells, and
// no restart policy is asked, since nothing died.
void FaultRun::ReplaceHungServer(int round, Injection& injection) {
  for (const RequestRecord* stream : InFlightAt(injection)) {
    if (stream->ok()) continue;
    injection.detected_ns =
        std::min(injection.detected_ns.value_or(stream->finished_ns), stream->finished_ns);
  }
  if (!injection.detected_ns && IsSilent(server_->target().endpoint(), plan_.hang_after)) {
    injection.detected_ns = rocm::ToNs(rocm::Now());
  }
  if (!injection.detected_ns) return;
  context_.log.Note(Place(round), "server_hung",
                    {{"detection_ms", Milliseconds(rocm::Nanoseconds(*injection.detected_ns -
                                                                     injection.injected_ns))}},
                    *injection.detected_ns);
  server_->Close("it hangs", milliseconds(0));
  if (!Open(round, &injection.healthy_ns)) injection.healthy_ns.reset();
}

bool FaultRun::StrikeOneLoad(int round, Injection& injection, pid_t& pid) {
  TargetOptions options = options_;
  Scenario scenario = scenario_;
  FaultTrigger trigger(plan_, 0);
  std::int64_t ready_ns = 0;
  options.on_progress = [&](const rocm::LoadProgress& progress) {
    if (progress.state == rocm::LoadProgress::State::kReady) ready_ns = rocm::ToNs(rocm::Now());
    if (progress.state != rocm::LoadProgress::State::kLoading || trigger.struck_ns() != 0) return;
    const auto children = OwnChildren();
    if (children.empty()) return;
    pid = children.front();
    trigger.set_pid(pid);
    (void)trigger.Strike();
  };
  if (plan_.action == FaultAction::kStop) options.stall_timeout = plan_.hang_after;
  if (plan_.action == FaultAction::kUnmask) {
    unmasking_.Lift(options, scenario);
    (void)trigger.Strike();
  }
  auto opened = RunningServer::Open(context_, options, scenario, Place(round));
  const std::int64_t now = rocm::ToNs(rocm::Now());
  injection.injected_ns = trigger.struck_ns();
  injection.moment_hit = injection.injected_ns != 0;
  if (!opened) {
    // Without a blow it would have failed as well: that is no crash to recover from.
    if (!injection.moment_hit && !context_.interrupted()) context_.report.failure = opened.error();
    injection.detected_ns = now;
    return true;
  }
  // A load may outlive a SIGTERM, and a driver the sight of every GPU.
  const bool may_survive =
      plan_.action == FaultAction::kTerm || plan_.action == FaultAction::kUnmask;
  if (may_survive && injection.moment_hit && (*opened)->target().alive()) {
    injection.survived = true;
    injection.healthy_ns = ready_ns;
    return Adopt(*std::move(opened));
  }
  (*opened)->Close("it was ready before it was struck");
  injection.moment_hit = false;
  return false;
}

void FaultRun::StrikeLoad(int round, Injection& injection) {
  if (server_ != nullptr) server_->Close("the next start is struck");
  server_.reset();
  pid_t pid = -1;
  for (int attempt = 0; attempt < kLoadAttempts && !context_.over(); ++attempt) {
    if (StrikeOneLoad(round, injection, pid)) break;
  }
  if (context_.over() && !injection.moment_hit) return;
  if (injection.injected_ns == 0) injection.injected_ns = rocm::ToNs(rocm::Now());
  NoteInjection(context_, Place(round), plan_, pid, injection);
  if (!injection.moment_hit) return;
  if (!injection.survived) {
    CheckChildren(injection, pid);
    if (!Open(round, &injection.healthy_ns)) return;
  }
  PassAfter(round, injection);
}

void FaultRun::PassAfter(int round, Injection& injection) {
  if (!injection.healthy_ns) return;
  server_->set_round(round);
  for (const Stage& stage : after_) {
    if (context_.over()) return;
    StageTask task;
    task.at_once = true;
    StageResult result = Pass(stage, std::move(task), round);
    const bool died = result.server_died;
    if (stage.record) {
      injection.after.insert(injection.after.end(), result.records.records.begin(),
                             result.records.records.end());
    }
    kept_.Add(stage, std::move(result));
    // Nobody struck it this time.
    if (died) context_.report.failure = ServerEnded(server_->target());
  }
}

void FaultRun::CheckChildren(Injection& injection, pid_t struck) const {
  const rocm::TimePoint deadline = rocm::Now() + kReapTime;
  do {
    const auto children = OwnChildren();
    injection.process_left = std::ranges::find(children, struck) != children.end();
    if (injection.process_left) (void)::poll(nullptr, 0, 2);
  } while (injection.process_left && rocm::Now() < deadline);
}

}  // namespace

void RunFaultScenario(RunContext& context, const Scenario& scenario) {
  if (const std::string why = WhyNotHere(context, scenario); !why.empty()) {
    ReportNotJudged(context, scenario, why);
    return;
  }
  Scenario mine = scenario;
  if (const auto rounds = context.options.rounds) {
    FaultPlan& plan = *mine.fault;
    // A policy that allows a restart for each fault goes on doing so.
    if (plan.restart.max_restarts == plan.repeat) plan.restart.max_restarts = *rounds;
    plan.repeat = *rounds;
  }
  for (const Variant& variant : Expand(mine)) {
    FaultRun(context, variant.scenario, variant.name).Run();
    if (context.over()) break;
  }
}

}  // namespace harness
