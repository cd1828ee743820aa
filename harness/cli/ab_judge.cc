// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/ab_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "harness/cli/load_memory.h"
#include "harness/measure/answer_comparison.h"
#include "harness/measure/comparison.h"
#include "harness/measure/distribution.h"
#include "harness/measure/metric_check.h"

namespace harness {
namespace {

using Entry = VariantRounds::Entry;

// One metric of one stage, on both sides.
struct Line {
  const Entry* a = nullptr;
  const Entry* b = nullptr;
  MetricRounds rounds;
  int lost = 0;  // rounds in which b gave no value and a did
};

std::optional<double> Value(const StageSummary& summary, const std::string& metric) {
  const auto statistic = FindStatistic(summary, metric);
  if (!statistic || !std::isfinite(statistic->value) || statistic->value <= 0) return std::nullopt;
  return statistic->value;
}

// Rounds in which one side has no value compare nothing; those that only b lacks are counted.
Line PairRounds(const Entry& a, const Entry& b, const std::string& metric, int confirm_from) {
  Line line{&a, &b, {}, 0};
  line.rounds.metric = metric;
  for (const StageSummary& right : b.summaries) {
    const auto left = std::ranges::find(a.summaries, right.round, &StageSummary::round);
    if (left == a.summaries.end()) continue;
    const auto value_a = Value(*left, metric);
    const auto value_b = Value(right, metric);
    if (value_a && !value_b) ++line.lost;
    if (!value_a || !value_b) continue;
    (right.round < confirm_from ? line.rounds.first : line.rounds.confirmation)
        .push_back({*value_a, *value_b});
  }
  return line;
}

std::vector<Line> Lines(const AbInput& input) {
  std::vector<Line> lines;
  for (const Entry& b : input.b->entries()) {
    const auto a = std::ranges::find(
        input.a->entries(), b.stage.name,
        [](const Entry& entry) -> const std::string& { return entry.stage.name; });
    if (a == input.a->entries().end()) continue;
    for (const std::string& metric : input.scenario->ab->metrics) {
      lines.push_back(PairRounds(*a, b, metric, input.confirm_from));
    }
  }
  return lines;
}

ComparisonConfig Config(const AbInput& input) {
  ComparisonConfig config;
  config.margin = input.scenario->ab->margin;
  return config;
}

bool Judged(const AbInput& input, const std::string& metric) {
  return input.scenario->timing_judged || !IsTiming(metric);
}

double Median(const std::vector<RoundPair>& first, const std::vector<RoundPair>& confirmation,
              double RoundPair::*side) {
  std::vector<double> values;
  for (const RoundPair& round : first) values.push_back(round.*side);
  for (const RoundPair& round : confirmation) values.push_back(round.*side);
  std::ranges::sort(values);
  return QuantileOf(values, 0.5);
}

// The larger of both sides' bounds, as a share of the value and in the metric's unit.
void ApplyErrorBound(const AbInput& input, const Line& line, Verdict& verdict) {
  if (input.calibration == nullptr || !IsTiming(verdict.metric)) return;
  double share = 0;
  for (const Entry* entry : {line.a, line.b}) {
    for (const StageSummary& summary : entry->summaries) {
      const auto bound = ErrorBound(*input.calibration, summary, verdict.metric);
      const auto value = Value(summary, verdict.metric);
      if (!bound || !value || *bound / *value <= share) continue;
      share = *bound / *value;
      verdict.error_bound = *bound;
    }
  }
  if (share <= kMaxErrorShare || !Judged(input, verdict.metric)) return;
  verdict.finding = Finding::kInvalid;
  verdict.reason +=
      fmt::format("; the instrument's error, up to {:.1f} %, is too large to compare", share * 100);
}

Verdict Missing(const Line& line, bool loaded_elsewhere) {
  Verdict verdict;
  verdict.kind = VerdictKind::kComparison;
  verdict.metric = line.rounds.metric;
  // Nothing passes by having no samples. But what a load took belongs to the stage that follows
  // the load, and to no other.
  const bool other_stage = loaded_elsewhere && line.lost == 0;
  verdict.finding = other_stage ? Finding::kNotJudged : Finding::kFail;
  verdict.reason = other_stage ? fmt::format("no load went before this stage, so it has no {}",
                                             line.rounds.metric)
                               : fmt::format("no round gave {} on both sides", line.rounds.metric);
  return verdict;
}

// The rounds that are left must not speak for those in which b came to nothing.
void TellLost(const AbInput& input, const Line& line, Verdict& verdict) {
  if (line.lost == 0 || BetterDirection(verdict.metric) != Better::kHigher) return;
  verdict.finding = Finding::kFail;
  verdict.reason +=
      fmt::format("; in {} more rounds {} alone came to nothing", line.lost, input.name_b);
}

std::vector<Comparison> JudgeMetrics(const AbInput& input) {
  std::vector<Line> lines = Lines(input);
  const auto empty =
      std::ranges::stable_partition(lines, [](const Line& l) { return !l.rounds.first.empty(); });
  std::vector<MetricRounds> metrics;
  for (auto line = lines.begin(); line != empty.begin(); ++line) metrics.push_back(line->rounds);
  std::vector<Verdict> verdicts = JudgeComparison(metrics, Config(input));
  const auto loaded_elsewhere = [&](const Line& line) {
    return IsLoadValue(line.rounds.metric) &&
           std::ranges::any_of(metrics, [&](const MetricRounds& other) {
             return other.metric == line.rounds.metric;
           });
  };
  std::vector<Comparison> comparisons;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    Comparison comparison;
    comparison.verdict =
        i < verdicts.size() ? std::move(verdicts[i]) : Missing(line, loaded_elsewhere(line));
    Verdict& verdict = comparison.verdict;
    verdict.stage = line.b->stage.name;
    if (i < verdicts.size()) {
      comparison.a = Median(line.rounds.first, line.rounds.confirmation, &RoundPair::a);
      comparison.b = Median(line.rounds.first, line.rounds.confirmation, &RoundPair::b);
      ApplyErrorBound(input, line, verdict);
      TellLost(input, line, verdict);
      if (input.rounds < kRuleRounds) {
        verdict.reason +=
            fmt::format("; {} rounds were asked for, {} are the rule", input.rounds, kRuleRounds);
      }
      if (!Judged(input, verdict.metric)) {
        verdict.finding = Finding::kNotJudged;
        verdict.reason += "; this scenario's times are not judged";
      }
    }
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

std::vector<RequestRecord> AllRecords(const VariantRounds& rounds) {
  std::vector<RequestRecord> all;
  for (const Entry& entry : rounds.entries()) {
    for (const RequestRecord& record : entry.records) {
      // What answers are compared by; chunk times would be most of the copy.
      RequestRecord kept;
      kept.stage = entry.stage.name;
      kept.round = record.round;
      kept.index = record.index;
      kept.outcome = record.outcome;
      kept.tokens = record.tokens;
      kept.text_sha256 = record.text_sha256;
      kept.degeneration = record.degeneration;
      kept.ids = record.ids;
      all.push_back(std::move(kept));
    }
  }
  return all;
}

}  // namespace

bool NeedsConfirmation(const AbInput& input) {
  const ComparisonConfig config = Config(input);
  const double bound = std::log1p(config.margin);
  return std::ranges::any_of(Lines(input), [&](const Line& line) {
    if (!Judged(input, line.rounds.metric)) return false;
    const Effect effect = EstimateEffect(line.rounds.first, config);
    // An effect that is certainly within the margin is no change, suspect or not.
    const bool small = std::log(effect.low) > -bound && std::log(effect.high) < bound;
    return IsSuspect(effect) && !small;
  });
}

std::vector<Comparison> JudgeAb(const AbInput& input) {
  std::vector<Comparison> comparisons = JudgeMetrics(input);
  AnswerRules rules;
  rules.greedy = input.scenario->workload.temperature == 0;
  rules.equal_answers = input.scenario->ab->equal_answers;
  rules.degeneration_judged = !input.random_weights && !input.scenario->random_weights;
  rules.a = input.name_a;
  rules.b = input.name_b;
  const std::vector<Verdict> answers =
      JudgeAnswers(CompareAnswers(AllRecords(*input.a), AllRecords(*input.b)), rules);
  std::vector<Verdict> times;
  for (Comparison& comparison : comparisons) times.push_back(std::move(comparison.verdict));
  Discount(answers, times);
  for (std::size_t i = 0; i < times.size(); ++i) comparisons[i].verdict = std::move(times[i]);
  for (const Verdict& answer : answers) comparisons.push_back({answer, {}, {}});
  for (Comparison& comparison : comparisons) {
    comparison.verdict.scenario = input.scenario->name;
    comparison.verdict.variant = input.variant;
  }
  return comparisons;
}

}  // namespace harness
