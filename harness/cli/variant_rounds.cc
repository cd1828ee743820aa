// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/variant_rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "harness/cli/session_events.h"
#include "harness/measure/calibration.h"
#include "harness/measure/gates.h"

namespace harness {
namespace {

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
                                       "throughput_tokens_per_s",
                                       "bandwidth_utilisation_ratio"};

std::map<std::string, double> ErrorBounds(const Calibration* calibration,
                                          const StageSummary& summary) {
  std::map<std::string, double> bounds;
  if (calibration == nullptr) return bounds;
  for (const std::string_view path : kShown) {
    if (const auto bound = ErrorBound(*calibration, summary, path)) {
      bounds[std::string(path)] = *bound;
    }
  }
  return bounds;
}

void Add(const std::vector<AnswerTally>& round, std::vector<AnswerTally>& all) {
  all.resize(std::max(all.size(), round.size()));
  for (std::size_t i = 0; i < round.size(); ++i) {
    if (all[i].wrong == 0) all[i].example = round[i].example;
    all[i].asked += round[i].asked;
    all[i].wrong += round[i].wrong;
  }
}

}  // namespace

void VariantRounds::Add(const Stage& stage, StageResult&& result) {
  if (!result.judged) return;
  auto entry = std::ranges::find(entries_, stage.name,
                                 [](const Entry& e) -> const std::string& { return e.stage.name; });
  if (entry == entries_.end()) {
    entry = entries_.emplace(entries_.end());
    entry->stage = stage;
  }
  JudgedStage& judged = *result.judged;
  const int round = judged.summary.round;
  entry->summaries.push_back(std::move(judged.summary));
  std::ranges::move(result.records.records, std::back_inserter(entry->records));
  harness::Add(result.records.answers, entry->answers);
  if (entry->degenerate_example.empty()) {
    entry->degenerate_example = std::move(result.records.degenerate_example);
  }
  for (Verdict& gate : judged.gates) entry->gates.push_back({round, std::move(gate)});
  const bool known = entry->saturation && entry->saturation->saturated;
  if (judged.saturation && !known) entry->saturation = judged.saturation;
}

const VariantRounds::Gate* VariantRounds::Spoilt(const VariantRounds* other) const {
  for (const Entry& entry : entries_) {
    const auto gate = std::ranges::find_if(entry.gates, [&](const Gate& g) {
      return g.verdict.finding == Finding::kInvalid && IsTimingGate(g.verdict) &&
             !HasFailures(g.round) && (other == nullptr || !other->HasFailures(g.round));
    });
    if (gate != entry.gates.end()) return &*gate;
  }
  return nullptr;
}

// What failed must stay to be seen.
bool VariantRounds::HasFailures(int round) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return std::ranges::any_of(entry.summaries, [&](const StageSummary& summary) {
      return summary.round == round && summary.requests_failed > 0;
    });
  });
}

void VariantRounds::SetAside(int round, int replaced_by) {
  for (Entry& entry : entries_) {
    std::erase_if(entry.summaries, [&](const StageSummary& s) { return s.round == round; });
    std::erase_if(entry.records, [&](const RequestRecord& r) { return r.round == round; });
    for (Gate& gate : entry.gates) {
      if (gate.round != round || gate.verdict.finding != Finding::kInvalid) continue;
      if (!IsTimingGate(gate.verdict)) continue;
      gate.replaced = true;
      gate.verdict.finding = Finding::kWarning;
      gate.verdict.reason += fmt::format("; round {} was set aside and measured again as round {}",
                                         round, replaced_by);
    }
  }
}

void VariantRounds::Conclude(RunContext& context, const Scenario& scenario,
                             const std::string& variant, const TargetFacts& facts,
                             const nlohmann::ordered_json& bound) {
  const RunOptions& options = context.options;
  const Calibration* calibration = options.calibration ? &*options.calibration : nullptr;
  for (Entry& entry : entries_) {
    StageReport stage;
    stage.scenario = scenario.name;
    stage.variant = variant;
    stage.stage = entry.stage;
    stage.workload = scenario.workload;
    stage.timing_judged = scenario.timing_judged;
    stage.saturation = entry.saturation;
    SummaryContext written;
    written.settings = RequestedSettings(scenario);
    if (!bound.is_null()) written.settings["bound"] = bound;
    // A night in which the instrument itself was late is no point of a trend, and no baseline.
    written.timing_judged =
        scenario.timing_judged && std::ranges::none_of(entry.gates, [](const Gate& gate) {
          return gate.verdict.finding != Finding::kPass && IsTimingGate(gate.verdict) &&
                 !gate.replaced;
        });
    const auto write = [&](const StageSummary& summary) {
      written.error_bounds = ErrorBounds(calibration, summary);
      context.log.Write(summary, written);
    };
    for (const StageSummary& summary : entry.summaries) write(summary);
    stage.summary = entry.summaries.front();
    if (entry.summaries.size() > 1) {
      stage.summary = SummariseRounds(entry.summaries, entry.records);
      write(stage.summary);
    }
    stage.error_bounds = written.error_bounds;
    for (Gate& gate : entry.gates) stage.verdicts.push_back(std::move(gate.verdict));
    std::ranges::move(
        JudgeExpectations(scenario, entry.stage, stage.summary, entry.answers, facts, calibration),
        std::back_inserter(stage.verdicts));
    if (auto garbage =
            JudgeDegeneration(scenario, stage.summary, entry.degenerate_example, facts)) {
      // A comparison judges it once, against the other side: what both answer is the model's doing.
      if (scenario.ab && garbage->finding == Finding::kFail) garbage->finding = Finding::kWarning;
      stage.verdicts.push_back(*std::move(garbage));
    }
    for (const Verdict& verdict : stage.verdicts) context.log.Write(verdict);
    context.report.stages.push_back(std::move(stage));
  }
}

bool PassRound(RunContext& context, RunningServer& server, const Scenario& scenario,
               const RunPlace& place, VariantRounds& kept) {
  auto factory = RequestFactory::Create(scenario, server.target(), context.signals.soft(),
                                        &context.words[server.model_key()]);
  if (!factory) {
    if (!context.interrupted()) context.report.failure = factory.error();
    return false;
  }
  for (const Stage& stage : scenario.stages) {
    StageTask task;
    task.scenario = &scenario;
    task.stage = &stage;
    task.factory = &*factory;
    task.place = place;
    StageResult result = PassStage(context, server, task);
    const bool died = result.server_died;
    kept.Add(stage, std::move(result));
    // A server that is gone serves no further stage; a scenario about that is another kind.
    if (died) context.report.failure = ServerEnded(server.target());
    if (context.over()) return false;
  }
  return true;
}

}  // namespace harness
