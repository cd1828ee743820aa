// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/base/wall_clock.h"
#include "harness/cli/ci_report.h"
#include "harness/cli/commands.h"
#include "harness/cli/gate.h"
#include "harness/cli/text_table.h"
#include "harness/cli/version.h"
#include "harness/record/atomic_file.h"
#include "harness/record/history_file.h"
#include "harness/record/run_index.h"
#include "harness/record/run_lines.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

struct GateArguments {
  std::string baseline;
  std::string baselines = "results/baselines";
  std::vector<std::string> candidates;
  std::vector<std::string> metrics;
  std::string results;
  double margin = 0.03;
  std::string confirm = "results/confirm";
  std::string out;
  std::string junit;
  std::string step_summary;
  bool json = false;
};

rocm::Error BadInput(std::string message) {
  rocm::Error error;
  error.code = rocm::ErrorCode::kInvalidArgument;
  error.message = std::move(message);
  return error;
}

rocm::Result<Baseline> FindBaseline(const GateArguments& arguments, const Baseline& candidate) {
  if (!arguments.baseline.empty()) return LoadBaseline(arguments.baseline);
  const fs::path path = BaselinePath(arguments.baselines, candidate.identity);
  std::error_code ec;
  if (fs::exists(path, ec)) return LoadBaseline(path);
  return rocm::Fail(BadInput(
      fmt::format("there is no baseline for this hardware and model ({}): give --baseline RUN, or "
                  "accept a run with: rocm-bench baseline accept RUN",
                  path.string())));
}

// Fences of the candidates' own history, without the candidates and what came after them.
rocm::Result<void> LoadFences(const GateArguments& arguments, GateSides& input) {
  const fs::path results = arguments.results;
  const auto updated = UpdateIndex(results, results / "index.sqlite");
  if (!updated) return rocm::Fail(updated.error());
  HistoryQuery query;
  query.metrics = input.metrics;
  const auto history = LoadHistory(results / "index.sqlite", query);
  if (!history) return rocm::Fail(history.error());
  std::string first;
  for (const Baseline& candidate : input.candidates) {
    const std::string& started = candidate.runs[0].started_at;
    if (first.empty() || started < first) first = started;
  }
  for (const HistorySeries& series : history->series) {
    std::vector<double> values;
    for (std::size_t i = 0; i < series.runs.size(); ++i) {
      if (history->runs[series.runs[i]].started_at < first) values.push_back(series.values[i]);
    }
    const auto changes = FindChangePoints(values);
    const std::size_t level = changes.empty() ? 0 : changes.back().index;
    const auto fence = FenceOf(std::span(values).subspan(level));
    if (fence) input.fences[{series.series, series.metric}] = *fence;
  }
  return {};
}

rocm::Result<GateSides> LoadInput(const GateArguments& arguments) {
  GateSides input;
  input.metrics = arguments.metrics.empty() ? DefaultHistoryMetrics() : arguments.metrics;
  input.config.margin = arguments.margin;
  std::set<std::string> ids;
  for (const std::string& file : arguments.candidates) {
    auto run = BaselineOfRun(file);
    if (!run) return rocm::Fail(std::move(run.error()));
    if (!ids.insert(run->runs[0].run_id).second) {
      return rocm::Fail(
          BadInput(fmt::format("{} is the same run as another candidate: a copy "
                               "confirms nothing",
                               file)));
    }
    input.candidates.push_back(*std::move(run));
  }
  std::ranges::stable_sort(input.candidates, {}, [](const Baseline& run) -> const std::string& {
    return run.runs[0].started_at;
  });
  auto baseline = FindBaseline(arguments, input.candidates.front());
  if (!baseline) return rocm::Fail(std::move(baseline.error()));
  if (baseline->kind == "published") {
    return rocm::Fail(BadInput(
        "published figures are shown beside a run and never judged by: they have no noise to "
        "compare with; accept a run of your own with: rocm-bench baseline accept RUN"));
  }
  for (const BaselineRun& run : baseline->runs) {
    if (!ids.insert(run.run_id).second) {
      return rocm::Fail(BadInput(fmt::format("run {} is on both sides", run.run_id)));
    }
  }
  input.baseline = *std::move(baseline);
  input.published = PublishedFor(arguments.baselines, input.candidates.front().identity);
  if (!arguments.results.empty()) {
    if (auto loaded = LoadFences(arguments, input); !loaded) {
      return rocm::Fail(std::move(loaded.error()));
    }
  }
  return input;
}

// 0 is what no value is.
std::string NumberOrNothing(double value) { return value == 0 ? "" : TableNumber(value); }

void PrintLine(const GateLine& line) {
  const Verdict& v = line.verdict;
  fmt::print("{:<18} {}{}{} · {} · {}", ToString(v.finding), v.scenario,
             v.variant.empty() ? "" : " ", v.variant, v.stage, v.metric);
  if (line.candidate != 0) {
    fmt::print("  {} → {} {}", NumberOrNothing(line.baseline), NumberOrNothing(line.candidate),
               UnitOf(v.metric));
  }
  fmt::print("\n    {}\n", v.reason);
}

void PrintReport(const GateSides& input, const GateReport& report) {
  for (const GateLine& line : report.lines) PrintLine(line);
  for (const GateLine& line : report.published) PrintLine(line);
  for (const std::string& line : report.not_compared) fmt::print("not compared: {}\n", line);
  if (!report.covariates.empty()) {
    fmt::print("differs from the baseline, and so is suspect:\n");
    for (const std::string& line : report.covariates) fmt::print("    {}\n", line);
  }
  for (const Confirmation& confirmation : report.confirmations) {
    fmt::print("to confirm {} ({}):\n    {}\n", confirmation.scenario, confirmation.note,
               ShellLine(confirmation.command));
  }
  for (const Baseline& candidate : input.candidates) {
    if (candidate.runs[0].exit_code > 0) {
      fmt::print("note: {} itself ended with exit code {}\n", candidate.runs[0].run_id,
                 candidate.runs[0].exit_code);
    }
  }
  std::size_t regressions = 0;
  std::size_t warnings = 0;
  for (const GateLine& line : report.lines) {
    regressions += line.verdict.finding == Finding::kRegression ? 1 : 0;
    warnings += line.verdict.finding == Finding::kWarning ? 1 : 0;
  }
  fmt::print("{} confirmed regressions, {} warnings, {} metrics compared\n", regressions, warnings,
             report.lines.size());
}

nlohmann::ordered_json Head(const GateSides& input, const GateReport& report) {
  nlohmann::ordered_json baseline = nlohmann::ordered_json::array();
  for (const BaselineRun& run : input.baseline.runs) baseline.push_back(run.run_id);
  nlohmann::ordered_json candidates = nlohmann::ordered_json::array();
  for (const Baseline& run : input.candidates) candidates.push_back(run.runs[0].run_id);
  nlohmann::ordered_json commands = nlohmann::ordered_json::array();
  for (const Confirmation& confirmation : report.confirmations) {
    commands.push_back({{"scenario", confirmation.scenario},
                        {"command", ShellLine(confirmation.command)},
                        {"note", confirmation.note}});
  }
  return {{"type", "gate"},
          {"schema", 1},
          {"tool", {{"name", "rocm-bench"}, {"version", kToolVersion}}},
          {"made_at", FormatUtc(WallNow())},
          {"baseline", baseline},
          {"candidates", candidates},
          {"margin", input.config.margin},
          {"exit_code", static_cast<int>(report.exit)},
          {"covariates", report.covariates},
          {"not_compared", report.not_compared},
          {"confirm", commands}};
}

nlohmann::ordered_json VerdictJson(const GateLine& line, bool published) {
  auto json = nlohmann::ordered_json::parse(VerdictLine(line.verdict));
  json["baseline"] = line.baseline;
  json["candidate"] = line.candidate;
  if (published) json["published"] = true;
  return json;
}

std::vector<nlohmann::ordered_json> Lines(const GateSides& input, const GateReport& report) {
  std::vector<nlohmann::ordered_json> lines{Head(input, report)};
  for (const GateLine& line : report.lines) lines.push_back(VerdictJson(line, false));
  for (const GateLine& line : report.published) lines.push_back(VerdictJson(line, true));
  return lines;
}

rocm::Result<void> WriteOutputs(const GateArguments& arguments, const GateSides& input,
                                const GateReport& report) {
  for (const Confirmation& confirmation : report.confirmations) {
    if (confirmation.file_text.empty()) continue;
    auto written = WriteFileAtomically(fs::path(arguments.confirm) / confirmation.file_name,
                                       confirmation.file_text);
    if (!written) return written;
  }
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  if (!arguments.out.empty()) {
    std::string text;
    for (const auto& line : Lines(input, report))
      text += line.dump(-1, ' ', false, kReplace) + "\n";
    if (auto written = WriteFileAtomically(arguments.out, text); !written) return written;
  }
  if (!arguments.junit.empty()) {
    auto written =
        WriteFileAtomically(arguments.junit, JUnitXml("rocm-bench gate", VerdictsOf(report)));
    if (!written) return written;
  }
  if (!arguments.step_summary.empty()) {
    return AppendText(arguments.step_summary, StepSummary(report, "rocm-bench gate"));
  }
  return {};
}

ExitCode Judge(const GateArguments& arguments) {
  auto input = LoadInput(arguments);
  if (!input) return Report(input.error());
  std::vector<const Baseline*> sides{&input->baseline};
  for (const Baseline& candidate : input->candidates) sides.push_back(&candidate);
  for (const Baseline* side : sides) {
    if (const std::string why = WhyNotValid(*side); !why.empty()) {
      fmt::print(stderr, "rocm-bench: {}: nothing is judged by it\n", why);
      return ExitCode::kInvalid;
    }
  }
  auto report = JudgeGate(*input);
  if (!report) return Report(report.error());
  for (Confirmation& confirmation : report->confirmations) {
    if (confirmation.file_text.empty()) continue;
    std::ranges::replace(confirmation.command, confirmation.file_name,
                         (fs::path(arguments.confirm) / confirmation.file_name).string());
  }
  if (auto written = WriteOutputs(arguments, *input, *report); !written) {
    return Report(written.error());
  }
  if (arguments.json) {
    nlohmann::ordered_json whole = Head(*input, *report);
    whole["verdicts"] = nlohmann::ordered_json::array();
    for (const auto& line : Lines(*input, *report)) {
      if (line["type"] == "verdict") whole["verdicts"].push_back(line);
    }
    fmt::print("{}\n", whole.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    PrintReport(*input, *report);
  }
  return report->exit;
}

}  // namespace

void AddGateCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<GateArguments>();
  GateArguments& a = *arguments;
  CLI::App* gate = app.add_subcommand(
      "gate", "Judge runs against a baseline: exit 1 only for a confirmed regression");
  gate->add_option("--baseline", a.baseline,
                   "Run file or baseline file; default: the accepted one of this hardware and "
                   "model");
  gate->add_option("--candidate", a.candidates, "Run files to judge; an A/B among them decides")
      ->required();
  gate->add_option("--metric", a.metrics, "Statistics to judge, as ttft_ms.p99");
  gate->add_option("--margin", a.margin, "A smaller change is none; 0.03 = 3 %")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  gate->add_option("--results", a.results,
                   "Folder of earlier runs: their spread says what is unusual");
  gate->add_option("--baselines", a.baselines, "Folder of baseline files")->capture_default_str();
  gate->add_option("--confirm", a.confirm, "Folder for scenarios that confirm a warning")
      ->capture_default_str();
  gate->add_option("--out", a.out, "Also write the verdicts as JSON lines");
  gate->add_option("--junit", a.junit, "Also write JUnit XML");
  gate->add_option("--step-summary", a.step_summary, "Append Markdown, as for GitHub Actions");
  gate->add_flag("--json", a.json, "Print one JSON object");
  gate->callback([arguments, &context] { context.exit = Judge(*arguments); });
}

}  // namespace harness
