// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <tuple>

#include "harness/base/wall_clock.h"
#include "harness/cli/commands.h"
#include "harness/cli/gate.h"
#include "harness/cli/version.h"
#include "harness/record/atomic_file.h"
#include "harness/record/baseline.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

struct AcceptArguments {
  std::vector<std::string> runs;
  std::string directory = "results/baselines";
  std::string note;
  bool allow_failed = false;
};

// Series of the runs take the place of the file's; its others stay, with the runs they are from.
void Update(Baseline& file, const Baseline& runs) {
  std::erase_if(file.series,
                [&](const BaselineSeries& series) { return runs.Find(series.series) != nullptr; });
  file.series.insert(file.series.end(), runs.series.begin(), runs.series.end());
  std::ranges::sort(file.series, {}, [](const BaselineSeries& series) {
    return std::tie(series.scenario, series.variant, series.stage, series.series);
  });
  for (const BaselineRun& run : runs.runs) {
    std::erase_if(file.runs, [&](const BaselineRun& old) { return old.run_id == run.run_id; });
    file.runs.push_back(run);
  }
  std::set<std::string> used;
  for (const BaselineSeries& series : file.series) {
    used.insert(series.run_ids.begin(), series.run_ids.end());
  }
  std::erase_if(file.runs, [&](const BaselineRun& run) { return !used.contains(run.run_id); });
  file.covariates = runs.covariates;
}

rocm::Result<Baseline> LoadRuns(const AcceptArguments& arguments) {
  std::optional<Baseline> all;
  for (const std::string& file : arguments.runs) {
    auto run = BaselineOfRun(file);
    if (!run) return run;
    if (!all) {
      all = *std::move(run);
    } else if (auto added = AddRun(*all, *run); !added) {
      return rocm::Fail(std::move(added.error()));
    }
  }
  return *std::move(all);
}

rocm::Error Refused(std::string message) {
  rocm::Error error;
  error.code = rocm::ErrorCode::kInvalidArgument;
  error.message = std::move(message);
  return error;
}

ExitCode Accept(const AcceptArguments& arguments) {
  const auto runs = LoadRuns(arguments);
  if (!runs) return Report(runs.error());
  if (const std::string why = WhyNotValid(*runs); !why.empty()) {
    fmt::print(stderr, "rocm-bench: {}: no baseline can be made of it\n", why);
    return ExitCode::kInvalid;
  }
  for (const BaselineRun& run : runs->runs) {
    if (run.exit_code == 0 || arguments.allow_failed) continue;
    return Report(
        Refused(fmt::format("{} ended with exit code {}: accept it all the same with "
                            "--allow-failed",
                            run.file.string(), run.exit_code)));
  }
  if (runs->series.empty()) {
    return Report(Refused(fmt::format("{} holds no summary", runs->runs[0].file.string())));
  }
  const fs::path path = BaselinePath(arguments.directory, runs->identity);
  Baseline baseline;
  std::error_code ec;
  if (fs::exists(path, ec)) {
    auto known = LoadBaseline(path);
    if (!known) return Report(known.error());
    if (known->read_only) {
      return Report(
          Refused(fmt::format("{} is read-only: its figures are published ones", path.string())));
    }
    baseline = *std::move(known);
  }
  baseline.identity = runs->identity;
  baseline.made_at = FormatUtc(WallNow());
  baseline.tool_version = kToolVersion;
  baseline.note = arguments.note;
  const std::size_t before = baseline.series.size();
  Update(baseline, *runs);
  const auto written = WriteFileAtomically(path, BaselineJson(baseline));
  if (!written) return Report(written.error());
  fmt::print("{}: {} series accepted from {} runs; {} series in all\n", path.string(),
             runs->series.size(), runs->runs.size(), baseline.series.size());
  if (before > baseline.series.size() - std::min(runs->series.size(), baseline.series.size())) {
    fmt::print("figures that were there before are in the version history of that file\n");
  }
  return ExitCode::kPass;
}

}  // namespace

void AddBaselineCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<AcceptArguments>();
  AcceptArguments& a = *arguments;
  CLI::App* baseline = app.add_subcommand("baseline", "What later runs are compared with");
  baseline->require_subcommand(1);
  CLI::App* accept = baseline->add_subcommand(
      "accept", "Make runs the baseline of their hardware and model; all of one identity");
  accept->add_option("runs", a.runs, "Run files")->required();
  accept->add_option("--note", a.note, "Why: kept in the file");
  accept->add_option("--baselines", a.directory, "Folder of baseline files")->capture_default_str();
  accept->add_flag("--allow-failed", a.allow_failed, "Although an expectation failed");
  accept->callback([arguments, &context] { context.exit = Accept(*arguments); });
}

}  // namespace harness
