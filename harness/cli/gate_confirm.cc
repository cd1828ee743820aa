// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "harness/cli/gate.h"
#include "harness/measure/metric_check.h"
#include "harness/scenario/loader.h"
#include "harness/scenario/sweep.h"

namespace harness {
namespace {

constexpr int kRounds = 10;

bool TakesNoValue(const std::string& word) {
  constexpr std::array<std::string_view, 6> kFlags = {
      "--no-chunks", "--json", "--quiet", "--dry-run", "--ignore-estimate", "--allow-gpu-crash"};
  return word.find('=') != std::string::npos || std::ranges::find(kFlags, word) != kFlags.end();
}

bool IsDropped(const std::string& word) {
  constexpr std::array<std::string_view, 12> kNames = {"--rounds",
                                                       "--server-binary",
                                                       "--variant",
                                                       "--junit",
                                                       "--step-summary",
                                                       "--prometheus-listen",
                                                       "--prometheus-push",
                                                       "--pushgateway",
                                                       "--push-instance",
                                                       "--prometheus-textfile",
                                                       "--json",
                                                       "--quiet"};
  return std::ranges::find(kNames, word.substr(0, word.find('='))) != kNames.end();
}

// The words of a `run` command in two heaps: its files, and the options that a repetition keeps.
struct RunWords {
  std::vector<std::string> files;
  std::vector<std::string> options;
};

RunWords Split(const std::vector<std::string>& command) {
  RunWords words;
  for (std::size_t i = 2; i < command.size(); ++i) {
    const std::string& word = command[i];
    if (!word.starts_with("--")) {
      words.files.push_back(word);
      continue;
    }
    const bool kept = !IsDropped(word);
    if (kept) words.options.push_back(word);
    if (TakesNoValue(word) || i + 1 == command.size()) continue;
    ++i;
    if (kept) words.options.push_back(command[i]);
  }
  return words;
}

// What is to be confirmed of one scenario's variant.
struct Doubt {
  std::string scenario;
  std::string variant;
  std::vector<std::string> metrics;
};

std::vector<Doubt> Doubts(const std::vector<GateLine>& lines) {
  std::vector<Doubt> doubts;
  for (const GateLine& line : lines) {
    const Verdict& verdict = line.verdict;
    if (verdict.finding != Finding::kWarning || !IsTiming(verdict.metric)) continue;
    auto doubt = std::ranges::find_if(doubts, [&](const Doubt& known) {
      return known.scenario == verdict.scenario && known.variant == verdict.variant;
    });
    if (doubt == doubts.end()) {
      doubt = doubts.insert(doubts.end(), {verdict.scenario, verdict.variant, {}});
    }
    if (std::ranges::find(doubt->metrics, verdict.metric) == doubt->metrics.end()) {
      doubt->metrics.push_back(verdict.metric);
    }
  }
  return doubts;
}

std::string FileName(const Doubt& doubt) {
  std::string name = "confirm-";
  for (const char c : doubt.scenario + (doubt.variant.empty() ? "" : "-" + doubt.variant)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain || c == '_' || c == '-' ? c : '-';
  }
  return name.substr(0, 120) + ".json";
}

// Leaves one value on each axis: the verdicts then carry the variant's name. "depth=0,slots=4".
void KeepOnly(const std::string& variant, Scenario& scenario) {
  for (SweepAxis& axis : scenario.sweep) {
    axis.until_saturation = false;
    std::erase_if(axis.values, [&](double value) {
      const std::string part = fmt::format("{}={}", ToString(axis.parameter), value);
      return fmt::format(",{},", variant).find("," + part + ",") == std::string::npos;
    });
  }
}

// The candidate's scenario, reduced to the variant in doubt, as a comparison of two servers; ""
// where the record does not hold a whole scenario.
std::string ComparisonOf(const Baseline& candidate, const Doubt& doubt, double margin) {
  const auto recorded = candidate.scenarios.find(doubt.scenario);
  if (recorded == candidate.scenarios.end()) return "";
  const auto parsed = ParseScenario(recorded->second.dump(), "the record");
  if (!parsed || parsed->kind != ScenarioKind::kLoad) return "";
  const std::vector<Variant> variants = Expand(*parsed);
  if (std::ranges::find(variants, doubt.variant, &Variant::name) == variants.end()) return "";
  Scenario scenario = *parsed;
  KeepOnly(doubt.variant, scenario);
  scenario.kind = ScenarioKind::kAb;
  scenario.rounds = 1;
  scenario.restart_server = false;
  AbPlan plan;
  plan.variants = {{"baseline", {}, "baseline"}, {"candidate", {}, "candidate"}};
  plan.rounds = kRounds;
  plan.margin = margin;
  plan.metrics = doubt.metrics;
  scenario.ab = plan;
  return nlohmann::ordered_json::parse(ToJson(scenario)).dump(2) + "\n";
}

Confirmation Again(const Baseline& candidate, const Doubt& doubt, const std::string& why) {
  Confirmation confirmation;
  confirmation.scenario = doubt.scenario;
  const RunWords words = Split(candidate.runs[0].command);
  confirmation.command = {"rocm-bench", "run"};
  for (const auto* heap : {&words.files, &words.options}) {
    confirmation.command.insert(confirmation.command.end(), heap->begin(), heap->end());
  }
  confirmation.command.insert(confirmation.command.end(), {"--rounds", std::to_string(kRounds)});
  confirmation.note =
      why +
      ": run the candidate again and give the gate both runs with --candidate (a scenario "
      "needs \"restart_server\": true, or its rounds count as one)";
  return confirmation;
}

Confirmation Plan(const GateSides& input, const Doubt& doubt) {
  const Baseline& candidate = input.candidates.back();
  const BaselineRun& run = candidate.runs.back();
  const BaselineRun none;
  const BaselineRun& before = input.baseline.runs.empty() ? none : input.baseline.runs.back();
  if (run.binary.empty() || before.binary.empty()) {
    return Again(candidate, doubt, "the servers were not started by us");
  }
  if (run.binary == before.binary && run.build == before.build) {
    return Again(candidate, doubt, "both sides ran the same server build");
  }
  Confirmation confirmation;
  confirmation.scenario = doubt.scenario;
  confirmation.file_text = ComparisonOf(candidate, doubt, input.config.margin);
  if (confirmation.file_text.empty()) {
    return Again(candidate, doubt, "the record does not hold the whole scenario");
  }
  confirmation.file_name = FileName(doubt);
  const RunWords words = Split(run.command);
  confirmation.command = {"rocm-bench", "run", confirmation.file_name};
  confirmation.command.insert(confirmation.command.end(), words.options.begin(),
                              words.options.end());
  const bool replaced = run.binary == before.binary;
  confirmation.command.insert(confirmation.command.end(),
                              {"--variant", "baseline=" + (replaced ? "BINARY" : before.binary),
                               "--variant", "candidate=" + run.binary});
  confirmation.note =
      replaced
          ? fmt::format(
                "BINARY stands for the baseline's server, build {}: its file has been "
                "replaced by build {} since",
                before.build, run.build)
          : fmt::format("an interleaved A/B of {} rounds, and as many again where it is suspect",
                        kRounds);
  return confirmation;
}

}  // namespace

std::vector<Confirmation> PlanConfirmations(const GateSides& input,
                                            const std::vector<GateLine>& lines) {
  std::vector<Confirmation> plans;
  for (const Doubt& doubt : Doubts(lines)) {
    Confirmation plan = Plan(input, doubt);
    // Running all of it again once is enough for every scenario in it.
    const bool known = std::ranges::any_of(plans, [&](const Confirmation& other) {
      return other.command == plan.command && plan.file_text.empty();
    });
    if (!known) plans.push_back(std::move(plan));
  }
  return plans;
}

std::string ShellLine(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    const bool plain = !word.empty() && std::ranges::all_of(word, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view("-_./=:,+@%").find(c) != std::string_view::npos;
    });
    if (plain) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

}  // namespace harness
