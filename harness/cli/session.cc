// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "backend/base/clock.h"
#include "backend/gpu/sensors.h"
#include "harness/base/wall_clock.h"
#include "harness/cli/model_file.h"
#include "harness/cli/session_events.h"
#include "harness/cli/version.h"
#include "harness/load/request_factory.h"
#include "harness/measure/clock_reconciliation.h"
#include "harness/scenario/loader.h"
#include "harness/target/server_counters.h"

namespace harness {
namespace {

using std::chrono::milliseconds;

// After the first Ctrl-C, streams may still finish for so long.
constexpr milliseconds kDrainTime{1'000};
constexpr milliseconds kStopGrace{5'000};
constexpr milliseconds kInterruptedGrace{2'000};

int MaxStreams(const Scenario& scenario) {
  int most = 1;
  for (const Stage& stage : scenario.stages) {
    const auto* closed = std::get_if<ClosedLoop>(&stage.load);
    most = std::max(most, closed != nullptr ? closed->concurrency
                                            : std::get<OpenLoop>(stage.load).max_in_flight);
  }
  return most;
}

rocm::Error ServerEnded() {
  rocm::Error error;
  error.code = rocm::ErrorCode::kServerExited;
  error.message = "the server ended during the run";
  return error;
}

// The statistics that tables and reports show.
constexpr std::string_view kShown[] = {"ttft_ms.p50",
                                       "ttft_ms.p90",
                                       "ttft_ms.p99",
                                       "ttft_sent_ms.p50",
                                       "tpot_ms.p50",
                                       "tpot_ms.p99",
                                       "decode_tokens_per_s.p50",
                                       "e2e_ms.p50",
                                       "e2e_ms.p99",
                                       "icl_ms.p50",
                                       "icl_ms.p99",
                                       "throughput_tokens_per_s"};

}  // namespace

// What Conclude() needs of one stage when the rounds are over.
struct Session::Kept {
  Stage stage;
  std::vector<StageSummary> summaries;
  std::vector<RequestRecord> records;
  std::vector<AnswerTally> answers;
  std::vector<Verdict> gates;
  std::optional<Saturation> saturation;
};

Session::Session(const RunOptions& options, const StopSignals& signals, Progress& progress)
    : options_(options), signals_(signals), progress_(progress) {}

Session::~Session() { CloseServer("the run ended early"); }

rocm::Result<RunReport> Session::Run(const std::vector<Scenario>& scenarios) {
  const auto begun = Begin(scenarios);
  if (!begun) return tl::unexpected(begun.error());
  for (const Scenario& scenario : scenarios) {
    if (!RunScenario(scenario)) break;
  }
  CloseServer("the run is over");
  report_.end = End();
  const auto written = writer_->End(report_.end);
  if (options_.metrics != nullptr) options_.metrics->Observe(report_.end, WallNow());
  if (!written && !recorder_->write_failure()) {
    progress_.Say(fmt::format("rocm-bench: {}", written.error().message));
  }
  return std::move(report_);
}

rocm::Result<void> Session::Begin(const std::vector<Scenario>& scenarios) {
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
  if (options_.target.kind == TargetKind::kLlamaServer) {
    inventory_ = rocm::gpu::Probe();
    for (const rocm::gpu::Device& device : inventory_.devices) {
      GpuFacts gpu;
      gpu.model = device.name;
      gpu.uuid = device.uuid;
      gpu.power_cap_w = rocm::gpu::ReadSensors(device).power_cap_watts;
      input.gpus.push_back(std::move(gpu));
    }
  }
  header.fingerprint = CollectFingerprint(input);
  header.server.binary = options_.target.server_binary;
  header.calibration = options_.calibration_json;

  RunWriterConfig config;
  config.directory = options_.out;
  config.chunks = options_.chunks;
  auto writer = RunWriter::Create(config);
  if (!writer) return tl::unexpected(writer.error());
  writer_ = *std::move(writer);
  const auto written = writer_->Header(header);
  if (!written) return tl::unexpected(written.error());
  recorder_ = std::make_unique<Recorder>(*writer_, options_.metrics);
  report_.run_id = writer_->run_id();
  report_.file = writer_->path();
  return {};
}

bool Session::RunScenario(const Scenario& scenario) {
  saturated_ = false;
  const bool until_saturation = std::ranges::any_of(
      scenario.sweep, [](const SweepAxis& axis) { return axis.until_saturation; });
  for (const Variant& variant : Expand(scenario)) {
    if (saturated_ && until_saturation) {
      Note("note", {{"text", fmt::format("{} was not run: the rate before saturated the server",
                                         variant.name)}});
      continue;
    }
    // Another server begins another climb.
    if (variant.new_server) saturated_ = false;
    if (!RunVariant(variant)) return false;
  }
  return true;
}

bool Session::RunVariant(const Variant& variant) {
  const int rounds = options_.rounds.value_or(variant.scenario.rounds);
  std::vector<Kept> kept;
  bool going_on = true;
  for (int round = 0; round < rounds && going_on; ++round) {
    if (target_ == nullptr || (round == 0 && variant.new_server) ||
        (round > 0 && variant.scenario.restart_server)) {
      CloseServer("the next one starts");
      if (!OpenServer(variant.scenario, variant.name, round)) return false;
    }
    going_on = RunRound(variant, round, kept);
  }
  Conclude(variant, kept);
  return going_on;
}

bool Session::OpenServer(const Scenario& scenario, const std::string& variant, int round) {
  where_.scenario = scenario.name;
  where_.variant = variant;
  where_.round = round;
  where_.stage.clear();
  progress_.Phase(fmt::format("{}{}{} · starting {}", scenario.name, variant.empty() ? "" : " ",
                              variant, options_.target_text));
  auto target = OpenTarget(options_.target, scenario.server, MaxStreams(scenario), signals_.soft());
  if (!target) {
    if (signals_.soft().stop_requested()) return false;
    report_.failure = target.error();
    Note("load_failed", DescribeError(target.error()));
    return false;
  }
  target_ = *std::move(target);
  Note("server_started", DescribeServer(target_->facts(), scenario));
  if (const auto load = target_->facts().load_duration) {
    Note("server_ready", {{"load_ms", Milliseconds(*load)}});
  }
  StartSampling();
  for (const std::string& line : target_->facts().not_available) {
    progress_.Say(fmt::format("not available: {}", line));
  }
  return true;
}

void Session::CloseServer(const std::string& why) {
  if (target_ == nullptr) return;
  sampler_.reset();
  const bool attached = target_->facts().kind == TargetKind::kAttached;
  const bool was_alive = target_->alive();
  const milliseconds grace = signals_.hard().stop_requested()   ? milliseconds(0)
                             : signals_.soft().stop_requested() ? kInterruptedGrace
                                                                : kStopGrace;
  const rocm::TimePoint begin = rocm::Now();
  const auto stopped = target_->Stop(grace);
  if (writer_ != nullptr && !attached) {
    Json detail{{"why", was_alive ? why : "it had ended by itself"},
                {"stop_ms", Milliseconds(rocm::Now() - begin)}};
    if (!stopped) detail["error"] = DescribeError(stopped.error());
    Note(was_alive ? "server_stopped" : "server_exited", std::move(detail));
  }
  target_.reset();
}

void Session::StartSampling() {
  Sampler::Config config;
  config.server_pid = target_->facts().pid;
  config.devices = inventory_.devices;
  // A copy of where we are: samples of a server belong to its scenario, not to a stage.
  const auto write = [this, event = where_](const std::string& name, std::int64_t at_ns,
                                            Json detail) {
    RunEvent sample = event;
    sample.event = name;
    sample.at_ns = at_ns;
    sample.detail = std::move(detail);
    (void)writer_->Event(sample);
    if (options_.metrics != nullptr) options_.metrics->Observe(sample);
  };
  config.on_sample = [write](const TelemetrySample& sample) {
    write("sample", sample.at_ns, DescribeHost(sample));
    for (const DeviceSample& device : sample.devices) {
      write("sample", sample.at_ns, DescribeDevice(device));
      if (device.sensors.throttled.value_or(false)) {
        write("throttled", sample.at_ns, {{"device", device.device}});
      }
    }
  };
  sampler_ = std::make_unique<Sampler>(std::move(config));
}

bool Session::RunRound(const Variant& variant, int round, std::vector<Kept>& kept) {
  where_.scenario = variant.scenario.name;
  where_.variant = variant.name;
  where_.round = round;
  auto factory = RequestFactory::Create(variant.scenario, *target_, signals_.soft(), &words_);
  if (!factory) {
    if (!signals_.soft().stop_requested()) report_.failure = factory.error();
    return false;
  }
  for (const Stage& stage : variant.scenario.stages) {
    if (!RunOneStage(variant, stage, round, *factory, kept)) return false;
  }
  return true;
}

StageOrder Session::Order(const StageProgress& /*progress*/) {
  if (signals_.hard().stop_requested()) return StageOrder::kCancel;
  if (!signals_.soft().stop_requested()) {
    // Everything from here on would fail in the same way.
    return target_->alive() ? StageOrder::kRun : StageOrder::kDrain;
  }
  const rocm::TimePoint now = rocm::Now();
  if (!draining_since_) {
    draining_since_ = now;
    progress_.Say("interrupted: finishing; once more to end at once");
  }
  return now - *draining_since_ < kDrainTime ? StageOrder::kDrain : StageOrder::kCancel;
}

bool Session::RunOneStage(const Variant& variant, const Stage& stage, int round,
                          const RequestFactory& factory, std::vector<Kept>& kept) {
  const Scenario& scenario = variant.scenario;
  where_.stage = stage.name;
  const std::string label = fmt::format("{}{}{} · {}", scenario.name,
                                        variant.name.empty() ? "" : " ", variant.name, stage.name);
  progress_.Phase(label);
  Note("stage_started", {{"record", stage.record}});
  const std::vector<AnswerChecker> checkers = MakeCheckers(scenario, stage, target_->facts());
  recorder_->BeginStage(target_.get(), &checkers, stage.record);
  StagePlanInput input;
  input.stage = &stage;
  input.factory = &factory;
  input.endpoint = target_->endpoint();
  input.scenario = scenario.name;
  input.variant = variant.name;
  input.round = round;
  input.threads = options_.load_threads;
  input.on_finished = [this](FinishedRequest&& request) { recorder_->Push(std::move(request)); };
  input.on_tick = [&](const StageProgress& progress) {
    progress_.Stage(label, stage, progress, *recorder_);
    return Order(progress);
  };
  const bool counted = stage.record && target_->facts().llama_server;
  const auto before = counted ? ReadServerCounters(target_->endpoint()) : std::nullopt;
  (void)sampler_->TakeEnergy();
  const StageOutcome outcome = RunStage(input);
  const auto energy = sampler_->TakeEnergy();
  StageRecords records = recorder_->EndStage();
  const bool server_died = !target_->alive();
  Json detail{{"started", outcome.started},
              {"seconds", static_cast<double>(outcome.end_ns - outcome.begin_ns) * 1e-9},
              {"load_threads", outcome.threads},
              {"client_cpu_ms", Milliseconds(outcome.cpu)},
              {"client_cpu_share", outcome.busiest},
              {"chunks", outcome.chunks}};
  if (outcome.cut_short) detail["cut_short"] = server_died ? "the server ended" : "interrupted";
  if (!stage.record && records.warm_up_failures > 0) {
    detail["warm_up_failures"] = records.warm_up_failures;
    detail["first_failure"] = records.first_failure;
    progress_.Say(fmt::format("{}: {} warm-up requests failed: {}", label, records.warm_up_failures,
                              records.first_failure));
  }
  if (stage.record && !records.records.empty()) {
    const auto after =
        counted && !server_died ? ReadServerCounters(target_->endpoint()) : std::nullopt;
    detail["clocks"] = DescribeClocks(ReconcileStage(records.records, before, after));
    if (energy) {
      std::int64_t tokens = 0;
      for (const RequestRecord& record : records.records) tokens += record.tokens;
      detail["energy_j"] = *energy;
      if (tokens > 0) detail["energy_j_per_token"] = *energy / static_cast<double>(tokens);
    }
    JudgedStage judged = SummariseStage(scenario, stage, records, outcome);
    if (judged.saturation) {
      detail["saturated"] = judged.saturation->saturated;
      detail["completed_share"] = judged.saturation->completed_share;
      detail["ttft_growth"] = judged.saturation->ttft_growth;
      saturated_ = saturated_ || judged.saturation->saturated;
    }
    auto entry = std::ranges::find(
        kept, stage.name, [](const Kept& k) -> const std::string& { return k.stage.name; });
    if (entry == kept.end()) {
      entry = kept.emplace(kept.end());
      entry->stage = stage;
      entry->answers.resize(records.answers.size());
    }
    entry->summaries.push_back(std::move(judged.summary));
    std::ranges::move(records.records, std::back_inserter(entry->records));
    for (std::size_t i = 0; i < records.answers.size(); ++i) {
      AnswerTally& total = entry->answers[i];
      if (total.wrong == 0) total.example = records.answers[i].example;
      total.asked += records.answers[i].asked;
      total.wrong += records.answers[i].wrong;
    }
    std::ranges::move(judged.gates, std::back_inserter(entry->gates));
    if (judged.saturation) entry->saturation = judged.saturation;
  }
  Note("stage_finished", std::move(detail));
  where_.stage.clear();
  // A server that is gone serves no further stage; a scenario about that is another kind.
  if (server_died) {
    report_.failure = target_->Explain(ServerEnded());
    return false;
  }
  return !signals_.soft().stop_requested();
}

void Session::Conclude(const Variant& variant, std::vector<Kept>& kept) {
  const Calibration* calibration = options_.calibration ? &*options_.calibration : nullptr;
  for (Kept& entry : kept) {
    StageReport stage;
    stage.scenario = variant.scenario.name;
    stage.variant = variant.name;
    stage.stage = entry.stage;
    stage.workload = variant.scenario.workload;
    stage.timing_judged = variant.scenario.timing_judged;
    stage.saturation = entry.saturation;
    SummaryContext context;
    context.settings = RequestedSettings(variant.scenario);
    context.timing_judged = variant.scenario.timing_judged;
    const auto write = [&](const StageSummary& summary) {
      context.error_bounds.clear();
      for (const std::string_view path : kShown) {
        if (calibration == nullptr) break;
        if (const auto bound = ErrorBound(*calibration, summary, path)) {
          context.error_bounds[std::string(path)] = *bound;
        }
      }
      (void)writer_->Summary(summary, context);
      if (options_.metrics != nullptr) options_.metrics->Observe(summary);
    };
    for (const StageSummary& summary : entry.summaries) write(summary);
    stage.summary = entry.summaries.front();
    if (entry.summaries.size() > 1) {
      stage.summary = SummariseRounds(entry.summaries, entry.records);
      write(stage.summary);
    }
    stage.error_bounds = context.error_bounds;
    stage.verdicts = std::move(entry.gates);
    if (target_ != nullptr) {
      std::ranges::move(JudgeExpectations(variant.scenario, entry.stage, stage.summary,
                                          entry.answers, target_->facts(), calibration),
                        std::back_inserter(stage.verdicts));
    }
    for (const Verdict& verdict : stage.verdicts) {
      (void)writer_->Write(verdict);
      if (options_.metrics != nullptr) options_.metrics->Observe(verdict);
    }
    report_.stages.push_back(std::move(stage));
  }
}

void Session::Note(const std::string& event, Json detail) {
  RunEvent note = where_;
  note.event = event;
  note.detail = std::move(detail);
  (void)writer_->Event(note);
  if (options_.metrics != nullptr) options_.metrics->Observe(note);
}

RunEnd Session::End() const {
  RunEnd end;
  bool failed = false, invalid = false;
  std::int64_t requests = 0, ok = 0;
  for (const StageReport& stage : report_.stages) {
    requests += stage.summary.requests;
    ok += stage.summary.requests_ok;
    for (const Verdict& verdict : stage.verdicts) {
      if (verdict.finding == Finding::kFail) failed = true;
      if (verdict.finding != Finding::kInvalid) continue;
      invalid = true;
      end.reasons.push_back(
          fmt::format("{} {}: {}", stage.scenario, stage.stage.name, verdict.reason));
    }
  }
  // Whatever was expected: a run in which nothing worked has not passed.
  if (requests > 0 && ok == 0) failed = true;
  ExitCode code = failed ? ExitCode::kCheckFailed : invalid ? ExitCode::kInvalid : ExitCode::kPass;
  if (invalid) end.status = RunStatus::kInvalid;
  if (const auto lost = recorder_->write_failure()) {
    end.status = RunStatus::kPartial;
    end.reasons.push_back(lost->message);
    if (code == ExitCode::kPass) code = ExitCode::kInvalid;
  }
  if (report_.failure) {
    end.status = RunStatus::kPartial;
    end.reasons.push_back(report_.failure->message);
    code = ExitCodeOf(*report_.failure);
  }
  if (signals_.soft().stop_requested()) {
    end.status = RunStatus::kPartial;
    end.reasons.insert(end.reasons.begin(), "interrupted");
    code = ExitCode::kInterrupted;
  }
  end.exit_code = static_cast<int>(code);
  return end;
}

}  // namespace harness
