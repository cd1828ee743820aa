// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <stop_token>

#include "harness/cli/commands.h"
#include "harness/record/prometheus_outputs.h"
#include "harness/record/run_metrics.h"
#include "harness/record/run_parse.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

struct ExportArguments {
  std::vector<std::string> runs;
  std::string textfile;
  std::string pushgateway;
  std::string instance;
  std::string listen;
};

// Until Ctrl-C.
void WaitForStop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
}

// Gauges are those of the newest run, counters those of all together.
rocm::Result<void> ReadAll(const std::vector<std::string>& files, RunMetrics& metrics) {
  std::vector<RunInfo> runs;
  for (const std::string& file : files) {
    auto run = InspectRun(file);
    if (!run) return tl::unexpected(run.error());
    if (run->state == "damaged") {
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                        fmt::format("{} is no run file: it has no header line", file));
    }
    runs.push_back(*std::move(run));
  }
  std::ranges::stable_sort(runs, {}, &RunInfo::started_at);
  for (const RunInfo& run : runs) {
    const auto read = ExportRun(run.path, metrics);
    if (!read) return read;
  }
  return {};
}

ExitCode Export(const ExportArguments& arguments, const CommandContext& context) {
  RunMetrics metrics;
  const auto read = ReadAll(arguments.runs, metrics);
  if (!read) return Report(read.error());
  if (!arguments.textfile.empty()) {
    const auto written = WriteTextfile(metrics, arguments.textfile);
    if (!written) return Report(written.error());
  }
  if (!arguments.pushgateway.empty()) {
    PushTarget target;
    target.url = arguments.pushgateway;
    if (!arguments.instance.empty()) target.instance = arguments.instance;
    const auto pushed = PushMetrics(metrics, target);
    if (!pushed) return Report(pushed.error());
  }
  if (!arguments.listen.empty()) {
    const auto listener = MetricsListener::Start(arguments.listen, metrics);
    if (!listener) return Report(listener.error());
    fmt::print("serving http://127.0.0.1:{}/metrics until interrupted\n", (*listener)->port());
    std::fflush(stdout);
    WaitForStop(context.signals.soft());
    return ExitCode::kPass;
  }
  if (arguments.textfile.empty() && arguments.pushgateway.empty()) {
    fmt::print("{}", metrics.Text());
  }
  return ExitCode::kPass;
}

}  // namespace

void AddExportCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<ExportArguments>();
  ExportArguments& a = *arguments;
  CLI::App* command = app.add_subcommand(
      "export", "Run files as Prometheus metrics; printed where nothing else is asked for");
  command->add_option("runs", a.runs, "Run files")->required();
  command->add_option("--textfile", a.textfile, "Folder of node_exporter's textfile collector");
  command->add_option("--pushgateway", a.pushgateway, "URL of a Pushgateway");
  command->add_option("--push-instance", a.instance, "Instead of this machine's name");
  command->add_option("--listen", a.listen, "Serve /metrics at ADDRESS:PORT or PORT");
  command->callback([arguments, &context] { context.exit = Export(*arguments, context); });
}

}  // namespace harness
