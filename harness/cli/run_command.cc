// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>

#include "backend/llama_server/server.h"
#include "harness/cli/calibration_file.h"
#include "harness/cli/ci_report.h"
#include "harness/cli/commands.h"
#include "harness/cli/model_file.h"
#include "harness/cli/plan_text.h"
#include "harness/cli/server_check.h"
#include "harness/cli/session.h"
#include "harness/cli/summary_table.h"
#include "harness/record/atomic_file.h"
#include "harness/record/prometheus_outputs.h"
#include "harness/record/run_metrics.h"
#include "harness/scenario/loader.h"

namespace harness {
namespace {

// Run files are shared.
std::vector<std::string> WithoutSecrets(std::vector<std::string> argv) {
  constexpr std::string_view kFlag = "--api-key";
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (argv[i].starts_with("--api-key=")) argv[i] = "--api-key=***";
    if (argv[i] == kFlag && i + 1 < argv.size()) argv[i + 1] = "***";
  }
  return argv;
}

struct RunArguments {
  RunOptions options;
  std::string model;
  std::string server_binary;
  std::vector<std::string> server_args;
  std::string backend;
  std::string device;
  bool ignore_estimate = false;
  std::string api_key;
  std::string served_model;
  std::string calibration;
  std::vector<std::string> variants;
  double load_timeout_s = 600;
  int rounds = 0;
  double bandwidth_gb_per_s = 0;
  std::string prometheus_listen;
  std::string prometheus_push;
  std::string push_instance;
  std::string prometheus_textfile;
  std::string junit;
  std::string step_summary;
  bool no_chunks = false;
  bool dry_run = false;
  AssumedSpeed speed;
};

// The options' target, complete: a model for the mock where none was given.
rocm::Result<TargetOptions> MakeTarget(const RunArguments& arguments) {
  auto target = ParseTarget(arguments.options.target_text);
  if (!target) return target;
  target->model = arguments.model;
  target->server_binary = arguments.server_binary;
  target->server_args = arguments.server_args;
  target->backend = arguments.backend;
  target->device = arguments.device;
  target->ignore_estimate = arguments.ignore_estimate;
  target->api_key = arguments.api_key;
  target->served_model = arguments.served_model;
  target->load_timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(arguments.load_timeout_s * 1000));
  const bool attached = target->kind == TargetKind::kAttached;
  if (attached &&
      (!target->model.empty() || !target->server_binary.empty() || !target->server_args.empty() ||
       !target->backend.empty() || !target->device.empty())) {
    return rocm::Fail(
        rocm::ErrorCode::kInvalidArgument,
        "--model, --server-binary, --server-arg, --backend and --device are for servers that "
        "are started here; this target is attached to");
  }
  if (target->kind == TargetKind::kMock && target->model.empty()) {
    auto chain = CachedChainModel();
    if (!chain) return tl::unexpected(chain.error());
    target->model = *std::move(chain);
  }
  if (target->kind == TargetKind::kLlamaServer && target->model.empty()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      "the target llama-server needs --model FILE (rocm-bench synth writes one "
                      "where there is none)");
  }
  if (target->kind == TargetKind::kLlamaServer) {
    // Looked for once more when it is started; said here before a run file is made.
    const auto binary = rocm::llama_server::FindServerBinary(target->server_binary);
    if (!binary) return tl::unexpected(binary.error());
  }
  return target;
}

// After the run, so that nothing waits for a gateway while streams are timed.
ExitCode Export(const RunArguments& arguments, const RunMetrics& metrics) {
  ExitCode exit = ExitCode::kPass;
  if (!arguments.prometheus_push.empty()) {
    PushTarget target;
    target.url = arguments.prometheus_push;
    if (!arguments.push_instance.empty()) target.instance = arguments.push_instance;
    const auto pushed = PushMetrics(metrics, target);
    if (!pushed) exit = Report(pushed.error());
  }
  if (!arguments.prometheus_textfile.empty()) {
    const auto written = WriteTextfile(metrics, arguments.prometheus_textfile);
    if (!written) exit = Report(written.error());
  }
  return exit;
}

// For CI systems; failures among them are the run's only when it has passed.
ExitCode WriteCiReports(const RunArguments& arguments, const RunReport& report) {
  ExitCode exit = ExitCode::kPass;
  if (!arguments.junit.empty()) {
    const std::string problem = report.failure ? report.failure->message
                                : report.end.status == RunStatus::kPartial
                                    ? fmt::format("{}", fmt::join(report.end.reasons, "; "))
                                    : std::string();
    const auto written = WriteFileAtomically(
        arguments.junit, JUnitXml("rocm-bench run", VerdictsOf(report), problem));
    if (!written) exit = Report(written.error());
  }
  if (!arguments.step_summary.empty()) {
    const auto written = AppendText(arguments.step_summary, StepSummary(report));
    if (!written) exit = Report(written.error());
  }
  return exit;
}

ExitCode Run(RunArguments& arguments, const CommandContext& context) {
  const auto scenarios = LoadScenarios(arguments.options.files);
  if (!scenarios) return Report(scenarios.error());
  RunOptions& options = arguments.options;
  if (arguments.rounds > 0) options.rounds = arguments.rounds;
  if (arguments.bandwidth_gb_per_s > 0) options.bandwidth_gb_per_s = arguments.bandwidth_gb_per_s;
  if (arguments.dry_run) {
    fmt::print("{}", DescribePlan(*scenarios, options.rounds, arguments.speed));
    return ExitCode::kPass;
  }
  auto bindings = ParseBindings(arguments.variants);
  if (!bindings) return Report(bindings.error());
  const auto bound = CheckBindings(*scenarios, *bindings);
  if (!bound) return Report(bound.error());
  options.bindings = *std::move(bindings);
  // A model that a variant brings stands for the run's where that has none.
  for (const auto& [name, binding] : options.bindings) {
    const bool wanted = arguments.model.empty() && options.target_text == "llama-server";
    if (wanted && !binding.model.empty()) arguments.model = binding.model;
  }
  auto target = MakeTarget(arguments);
  if (!target) return Report(target.error());
  const auto room = CheckServers(*scenarios, *target, options.bindings);
  if (!room) return Report(room.error());
  if (target->kind == TargetKind::kAttached) {
    for (const Scenario& scenario : *scenarios) {
      if (scenario.kind != ScenarioKind::kFault) continue;
      return Report(rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                               fmt::format("{}: $.kind: a fault strikes the server: it must be "
                                           "one that is started here, not attached to",
                                           scenario.file))
                        .value());
    }
  }
  options.target = *std::move(target);
  options.command = WithoutSecrets(context.argv);
  options.chunks = !arguments.no_chunks;
  auto calibration = LoadCalibration(arguments.calibration);
  if (!calibration) return Report(calibration.error());
  if (*calibration) {
    options.calibration_json = CalibrationJson(**calibration);
    options.calibration = std::move((*calibration)->calibration);
  }

  RunMetrics metrics;
  options.metrics = &metrics;
  std::unique_ptr<MetricsListener> listener;
  if (!arguments.prometheus_listen.empty()) {
    auto started = MetricsListener::Start(arguments.prometheus_listen, metrics);
    if (!started) return Report(started.error());
    listener = *std::move(started);
  }
  Progress progress(options.silent);
  Session session(options, context.signals, progress);
  const auto report = session.Run(*scenarios);
  progress.Clear();
  if (!report) return Report(report.error());
  ExitCode exported = Export(arguments, metrics);
  const ExitCode reported = WriteCiReports(arguments, *report);
  if (exported == ExitCode::kPass) exported = reported;
  if (report->failure) Report(*report->failure);
  if (options.json) {
    fmt::print("{}\n", FormatJson(*report));
  } else {
    fmt::print("{}", FormatTable(*report));
  }
  const auto exit = static_cast<ExitCode>(report->end.exit_code);
  return exit == ExitCode::kPass ? exported : exit;
}

}  // namespace

void AddRunCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<RunArguments>();
  RunArguments& a = *arguments;
  CLI::App* run = app.add_subcommand("run", "Run scenarios or suites and write a run file");
  run->add_option("files", a.options.files, "Scenario files (.json) and suites (.txt)")->required();
  run->add_option("--target", a.options.target_text,
                  "mock, llama-server, http://HOST:PORT or unix:PATH")
      ->required();
  run->add_option("--model", a.model, "GGUF file (the mock: the chain model when left out)");
  run->add_option("--server-binary", a.server_binary, "llama-server to start");
  run->add_option("--server-arg", a.server_args,
                  "Argument for the server, as often as needed (--server-arg=--flag)")
      ->take_all();
  run->add_option("--backend", a.backend, "rocm, cuda, vulkan, sycl or cpu");
  run->add_option("--device", a.device, "One device: a uuid, a number or a name as in ROCm0");
  run->add_flag("--ignore-estimate", a.ignore_estimate,
                "Load what by the estimate does not fit the device");
  run->add_option("--variant", a.variants,
                  "NAME=BINARY, NAME=MODEL or NAME=URL for a variant of a comparison")
      ->take_all();
  run->add_option("--load-timeout", a.load_timeout_s, "Seconds until a load has failed")
      ->check(CLI::Range(0.1, 86'400.0));
  run->add_option("--api-key", a.api_key, "Key of an attached server")
      ->envname("ROCM_BENCH_API_KEY");
  run->add_option("--served-model", a.served_model, "The model field of requests to it");
  run->add_option("--out", a.options.out, "Folder for the run file")->capture_default_str();
  run->add_option("--rounds", a.rounds, "Instead of each scenario's own")
      ->check(CLI::Range(1, 1'000));
  run->add_flag(
      "--allow-gpu-crash", a.options.allow_gpu_crash,
      "Run scenarios that crash a real GPU's context (scenarios/crash/igpu_autofit.json)");
  run->add_option("--bandwidth", a.bandwidth_gb_per_s,
                  "GB/s (10^9 bytes) of the memory that holds the weights; default: a table of "
                  "GPUs, or a read test of the processor's")
      ->check(CLI::Range(0.001, 1e6));
  run->add_option("--load-threads", a.options.load_threads, "Threads that drive streams")
      ->check(CLI::Range(1, 64));
  run->add_option("--calibration", a.calibration, "Written by calibrate; default: the stored one");
  run->add_option("--prometheus-listen", a.prometheus_listen,
                  "Serve /metrics while it runs: ADDRESS:PORT or PORT");
  run->add_option("--prometheus-push,--pushgateway", a.prometheus_push, "URL of a Pushgateway");
  run->add_option("--push-instance", a.push_instance, "Instead of this machine's name");
  run->add_option("--prometheus-textfile", a.prometheus_textfile,
                  "Folder of node_exporter's textfile collector");
  run->add_option("--junit", a.junit, "Also write the verdicts as JUnit XML");
  run->add_option("--step-summary", a.step_summary,
                  "Append the result as Markdown, as for GitHub Actions");
  run->add_flag("--no-chunks", a.no_chunks, "Leave chunk times out of the run file");
  run->add_flag("--json", a.options.json, "Print the result as JSON");
  run->add_flag("--quiet", a.options.silent, "No progress");
  run->add_flag("--dry-run", a.dry_run, "Print the plan and the time it takes; run nothing");
  run->add_option("--assume-decode", a.speed.decode_tokens_per_s, "For --dry-run, tok/s")
      ->check(CLI::PositiveNumber);
  run->add_option("--assume-prefill", a.speed.prefill_tokens_per_s, "For --dry-run, tok/s")
      ->check(CLI::PositiveNumber);
  run->callback([arguments, &context] { context.exit = Run(*arguments, context); });
}

}  // namespace harness
