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

#include "harness/cli/commands.h"
#include "harness/cli/comparison_table.h"
#include "harness/cli/run_compare.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

struct CompareArguments {
  std::string first;
  std::string second;
  std::string runs = "results/runs";
  bool json = false;
  CompareOptions options;
};

// A path, or the id of a run in the folder of runs.
rocm::Result<std::filesystem::path> FindRun(const std::string& name, const std::string& folder) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(name, ignored)) return name;
  const auto by_id = std::filesystem::path(folder) / (name + ".jsonl");
  if (std::filesystem::is_regular_file(by_id, ignored)) return by_id;
  return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                    fmt::format("no such run: neither {} nor {}", name, by_id.string()));
}

std::string Describe(const FinishedRun& run) {
  return fmt::format("{} ({}, {})", TextOr(run.header, "run_id"), TextOr(run.header, "started_at"),
                     run.state);
}

void PrintJson(const FinishedRun& a, const FinishedRun& b,
               const std::vector<Comparison>& comparisons,
               const std::vector<std::string>& differences) {
  nlohmann::ordered_json json{{"first", TextOr(a.header, "run_id")},
                              {"second", TextOr(b.header, "run_id")},
                              {"interleaved", false},
                              {"differences", differences},
                              {"comparisons", nlohmann::ordered_json::array()}};
  for (const Comparison& comparison : comparisons) {
    json["comparisons"].push_back(ComparisonJson(comparison));
  }
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

ExitCode Compare(const CompareArguments& arguments) {
  const auto first = FindRun(arguments.first, arguments.runs);
  if (!first) return Report(first.error());
  const auto second = FindRun(arguments.second, arguments.runs);
  if (!second) return Report(second.error());
  const auto a = ReadFinishedRun(*first);
  if (!a) return Report(a.error());
  const auto b = ReadFinishedRun(*second);
  if (!b) return Report(b.error());
  const std::vector<Comparison> comparisons = CompareRuns(*a, *b, arguments.options);
  if (comparisons.empty()) {
    return Report(rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                             "the runs have no scenario, variant and stage in common")
                      .value());
  }
  const auto differences = DescribeDifferences(*a, *b);
  if (arguments.json) {
    PrintJson(*a, *b, comparisons, differences);
  } else {
    fmt::print("before: {}\nafter:  {}\n", Describe(*a), Describe(*b));
    fmt::print("not interleaved: whatever changed between the runs is in the difference\n");
    for (const std::string& line : differences) fmt::print("differs: {}\n", line);
    fmt::print("\n{}", FormatComparisons(comparisons));
  }
  const bool worse = std::ranges::any_of(
      comparisons, [](const Comparison& c) { return c.verdict.finding == Finding::kRegression; });
  return worse ? ExitCode::kCheckFailed : ExitCode::kPass;
}

}  // namespace

void AddCompareCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<CompareArguments>();
  CompareArguments& a = *arguments;
  a.options.metrics = {"decode_tokens_per_s.p50", "prefill_tokens_per_s.p50", "ttft_ms.p50",
                       "tpot_ms.p50", "throughput_tokens_per_s"};
  CLI::App* compare = app.add_subcommand(
      "compare", "Compare two runs that are over; an A/B scenario is the better way");
  compare->add_option("first", a.first, "Run file or id: the baseline")->required();
  compare->add_option("second", a.second, "Run file or id")->required();
  compare->add_option("--runs", a.runs, "Folder that ids are looked for in")->capture_default_str();
  compare
      ->add_option("--metric", a.options.metrics, "Instead of the usual ones, as often as needed")
      ->take_all();
  compare->add_option("--margin", a.options.margin, "A smaller effect is no change, 0.03 = 3 %")
      ->check(CLI::Range(0.0, 1.0));
  compare->add_flag("--json", a.json, "Print the result as JSON");
  compare->callback([arguments, &context] { context.exit = Compare(*arguments); });
}

}  // namespace harness
