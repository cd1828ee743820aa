// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/cli/commands.h"
#include "harness/record/run_index.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

struct RunsArguments {
  std::string directory = "results/runs";
  std::string index;
  bool json = false;
  bool rebuild = false;
};

ExitCode ListThem(const RunsArguments& arguments) {
  const auto runs = ListRuns(arguments.directory);
  if (!runs) return Report(runs.error());
  if (arguments.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const RunInfo& run : *runs) {
      list.push_back({{"run_id", run.run_id},
                      {"path", run.path.string()},
                      {"started_at", run.started_at},
                      {"target", run.target},
                      {"suite", run.suite},
                      {"scenarios", run.scenarios},
                      {"state", run.state},
                      {"reasons", run.reasons},
                      {"requests", run.requests},
                      {"bytes", run.bytes}});
    }
    fmt::print("{}\n", list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return ExitCode::kPass;
  }
  for (const RunInfo& run : *runs) {
    const std::string what =
        run.suite.empty() ? fmt::format("{}", fmt::join(run.scenarios, ", ")) : run.suite;
    fmt::print("{}  {:<8} {:>8}  {:<14} {}\n", run.started_at.substr(0, 19), run.state,
               run.requests >= 0 ? fmt::format("{}", run.requests) : "–", run.target, what);
    fmt::print("    {}\n", run.path.string());
    for (const std::string& reason : run.reasons) fmt::print("    {}\n", reason);
  }
  fmt::print("{} runs in {}\n", runs->size(), arguments.directory);
  return ExitCode::kPass;
}

ExitCode IndexThem(const RunsArguments& arguments) {
  const std::filesystem::path index =
      arguments.index.empty() ? std::filesystem::path(arguments.directory) / "index.sqlite"
                              : std::filesystem::path(arguments.index);
  const auto report = UpdateIndex(arguments.directory, index, arguments.rebuild);
  if (!report) return Report(report.error());
  for (const std::string& problem : report->problems) fmt::print(stderr, "{}\n", problem);
  fmt::print("{}: {} added, {} unchanged, {} removed\n", index.string(), report->added,
             report->unchanged, report->removed);
  return ExitCode::kPass;
}

}  // namespace

void AddRunsCommands(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<RunsArguments>();
  RunsArguments& a = *arguments;
  CLI::App* runs = app.add_subcommand("runs", "List the run files, the newest first");
  runs->add_option("directory", a.directory, "Where they are")->capture_default_str();
  runs->add_flag("--json", a.json, "As JSON");
  runs->callback([arguments, &context] { context.exit = ListThem(*arguments); });

  CLI::App* index =
      app.add_subcommand("index", "Bring the SQLite index over the run files up to date");
  index->add_option("directory", a.directory, "Where the run files are")->capture_default_str();
  index->add_option("--index", a.index, "The index; default: index.sqlite beside them");
  index->add_flag("--rebuild", a.rebuild, "From nothing");
  index->callback([arguments, &context] { context.exit = IndexThem(*arguments); });
}

}  // namespace harness
