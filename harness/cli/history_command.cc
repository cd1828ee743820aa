// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/cli/commands.h"
#include "harness/cli/text_table.h"
#include "harness/cli/version.h"
#include "harness/record/atomic_file.h"
#include "harness/record/history_file.h"
#include "harness/record/run_index.h"

namespace harness {
namespace {

struct HistoryArguments {
  std::string results = "results/runs";
  std::string index;
  std::string out;
  HistoryQuery query;
  bool json = false;
  bool rebuild = false;
};

// Eight steps from the lowest to the highest of the newest values.
std::string Sparkline(const std::vector<double>& values) {
  constexpr std::size_t kWidth = 30;
  const char* const steps[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t first = values.size() > kWidth ? values.size() - kWidth : 0;
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  const auto [low, high] = std::minmax_element(begin, values.end());
  std::string line(kWidth - (values.size() - first), ' ');
  for (auto it = begin; it != values.end(); ++it) {
    const double share = *high > *low ? (*it - *low) / (*high - *low) : 0.5;
    line += steps[std::min<std::size_t>(7, static_cast<std::size_t>(share * 8))];
  }
  return line;
}

// Words of covariates that changed at this run, for the lines below a row.
std::string Marks(const HistoryRun& run, const std::vector<std::string>& names) {
  std::string text;
  for (const CovariateChange& change : run.changed) {
    if (std::ranges::find(names, change.name) == names.end()) continue;
    text += fmt::format("\n      {}: {} → {}", change.name,
                        change.before.empty() ? "(none)" : change.before,
                        change.after.empty() ? "(none)" : change.after);
  }
  return text;
}

void PrintSeries(const HistorySeries& series, const History& history) {
  const std::string name =
      fmt::format("{}{}{} · {}", series.scenario, series.variant.empty() ? "" : " ", series.variant,
                  series.stage);
  fmt::print("{:<44} {:<26} {:>4}  {} {:>9} {:<6} {}\n", name, series.metric, series.values.size(),
             Sparkline(series.values), TableNumber(series.values.back()), UnitOf(series.metric),
             series.judged ? ToString(series.judgement.state) : "not judged");
  for (std::size_t i = 0; i < series.judgement.verdicts.size(); ++i) {
    const Verdict& verdict = series.judgement.verdicts[i];
    fmt::print("    {}: {}", ToString(verdict.finding), verdict.reason);
    if (i < series.judgement.changes.size()) {
      const auto& change = series.judgement.changes[i];
      const HistoryRun& run = history.runs[series.runs[change.point.index]];
      fmt::print("{}", Marks(run, change.suspects));
    }
    fmt::print("\n");
  }
}

void PrintTable(const History& history) {
  std::string identity;
  std::vector<const HistorySeries*> sorted;
  for (const HistorySeries& series : history.series) sorted.push_back(&series);
  std::ranges::stable_sort(sorted, {}, [](const HistorySeries* s) { return s->identity; });
  for (const HistorySeries* series : sorted) {
    if (series->identity != identity) {
      identity = series->identity;
      const auto facts = std::ranges::find(history.identities, identity, &HistoryIdentity::key);
      fmt::print("identity {}: {}\n", identity,
                 facts != history.identities.end() ? facts->json : "");
    }
    PrintSeries(*series, history);
  }
  std::size_t valid = 0;
  for (const HistoryRun& run : history.runs) valid += run.status == "valid" ? 1 : 0;
  fmt::print("{} series; {} runs, {} of them valid", history.series.size(), history.runs.size(),
             valid);
  const auto newest =
      std::ranges::find(history.runs.rbegin(), history.runs.rend(), "valid", &HistoryRun::status);
  if (newest != history.runs.rend()) fmt::print("; the newest valid one: {}", newest->run_id);
  fmt::print("\n");
}

// The lines as one JSON object: the head, with lists of the other types.
std::string AsOneObject(const std::string& lines) {
  nlohmann::ordered_json whole;
  nlohmann::ordered_json lists = {{"identities", nlohmann::ordered_json::array()},
                                  {"run_list", nlohmann::ordered_json::array()},
                                  {"series_list", nlohmann::ordered_json::array()},
                                  {"verdicts", nlohmann::ordered_json::array()}};
  std::istringstream in(lines);
  for (std::string text; std::getline(in, text);) {
    auto line = nlohmann::ordered_json::parse(text);
    const std::string type = line.at("type");
    line.erase("type");
    if (type == "history") whole = std::move(line);
    if (type == "identity") lists["identities"].push_back(std::move(line));
    if (type == "run") lists["run_list"].push_back(std::move(line));
    if (type == "series") lists["series_list"].push_back(std::move(line));
    if (type == "verdict") lists["verdicts"].push_back(std::move(line));
  }
  whole.update(lists);
  return whole.dump(2);
}

ExitCode Show(const HistoryArguments& arguments) {
  const std::filesystem::path results = arguments.results;
  std::error_code ec;
  if (!std::filesystem::is_directory(results, ec)) {
    return Report(rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                             fmt::format("{} is no folder of run files: give --results DIR",
                                         results.string()))
                      .value());
  }
  const std::filesystem::path index =
      arguments.index.empty() ? results / "index.sqlite" : std::filesystem::path(arguments.index);
  const auto updated = UpdateIndex(results, index, arguments.rebuild);
  if (!updated) return Report(updated.error());
  for (const std::string& problem : updated->problems) fmt::print(stderr, "{}\n", problem);
  const auto history = LoadHistory(index, arguments.query);
  if (!history) return Report(history.error());
  const std::string lines =
      arguments.out.empty() && !arguments.json
          ? std::string()
          : HistoryLines(*history, arguments.query, results.string(), kToolVersion);
  if (!arguments.out.empty()) {
    const auto written = WriteFileAtomically(arguments.out, lines);
    if (!written) return Report(written.error());
  }
  if (arguments.json) {
    fmt::print("{}\n", AsOneObject(lines));
  } else {
    PrintTable(*history);
  }
  if (history->series.empty() && !arguments.query.pattern.empty()) {
    return Report(rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                             fmt::format("no series of a valid run in {} matches '{}'",
                                         results.string(), arguments.query.pattern))
                      .value());
  }
  return ExitCode::kPass;
}

}  // namespace

void AddHistoryCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<HistoryArguments>();
  HistoryArguments& a = *arguments;
  CLI::App* history =
      app.add_subcommand("history", "Trends over all valid runs: change points and their suspects");
  history->add_option("--results", a.results, "Folder of run files")->capture_default_str();
  history->add_option("--series", a.query.pattern,
                      "Only these: part of, or a glob on, 'scenario variant stage metric'");
  history->add_option("--metric", a.query.metrics,
                      "Statistics to follow, as ttft_ms.p99; as often as needed");
  history->add_option("--out", a.out, "Also write them as JSON lines, for the dashboard");
  history->add_option("--index", a.index, "The SQLite index; default: index.sqlite in the folder");
  history->add_flag("--rebuild", a.rebuild, "Read every run file again");
  history->add_flag("--json", a.json, "Print one JSON object");
  history->callback([arguments, &context] { context.exit = Show(*arguments); });
}

}  // namespace harness
