// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/run_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "harness/measure/answer_comparison.h"
#include "harness/measure/comparison.h"
#include "harness/measure/distribution.h"
#include "harness/measure/metric_check.h"
#include "harness/record/run_parse.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

using nlohmann::json;

constexpr char kNotInterleaved[] =
    "suspect, but the runs were not interleaved: whatever else changed between them is in it; an "
    "A/B of both in one run would confirm it or clear it";

void Keep(RequestRecord record, FinishedRun& run) {
  std::vector<ChunkTime>().swap(record.chunks);
  FinishedRun::Key key{record.scenario, record.variant};
  run.records[std::move(key)].push_back(std::move(record));
}

void Take(const json& line, FinishedRun& run) {
  const std::string type = TextOr(line, "type");
  if (type == "header") run.header = line;
  if (type == "request") Keep(ParseRequest(line), run);
  if (type == "end") run.state = TextOr(line, "status", "partial");
  if (type != "summary") return;
  StageSummary summary = ParseSummary(line);
  if (line.contains("timing_judged") && line["timing_judged"] == false) {
    run.unjudged.insert(summary.scenario);
  }
  if (summary.round == kAllRounds) return;
  FinishedRun::Key key{summary.scenario, summary.variant};
  run.summaries[std::move(key)].push_back(std::move(summary));
}

std::optional<double> Value(const StageSummary& summary, const std::string& metric) {
  const auto statistic = FindStatistic(summary, metric);
  if (!statistic || !std::isfinite(statistic->value) || statistic->value <= 0) return std::nullopt;
  return statistic->value;
}

std::vector<RoundPair> Pair(const std::vector<StageSummary>& a, const std::vector<StageSummary>& b,
                            const std::string& stage, const std::string& metric) {
  std::vector<RoundPair> pairs;
  for (const StageSummary& right : b) {
    if (right.stage != stage) continue;
    const auto left = std::ranges::find_if(
        a, [&](const StageSummary& s) { return s.stage == stage && s.round == right.round; });
    if (left == a.end()) continue;
    const auto value_a = Value(*left, metric);
    const auto value_b = Value(right, metric);
    if (value_a && value_b) pairs.push_back({*value_a, *value_b});
  }
  return pairs;
}

double Median(const std::vector<RoundPair>& rounds, double RoundPair::*side) {
  std::vector<double> values;
  for (const RoundPair& round : rounds) values.push_back(round.*side);
  std::ranges::sort(values);
  return QuantileOf(values, 0.5);
}

Comparison Judge(const MetricRounds& rounds, Verdict verdict, bool judged,
                 const ComparisonConfig& config) {
  Comparison comparison;
  comparison.a = Median(rounds.first, &RoundPair::a);
  comparison.b = Median(rounds.first, &RoundPair::b);
  const Effect effect = EstimateEffect(rounds.first, config);
  const bool large = std::abs(std::log(effect.ratio)) >= std::log1p(config.margin);
  if (!judged) {
    verdict.finding = Finding::kNotJudged;
    verdict.reason += "; this scenario's times are not judged";
  } else if (verdict.finding == Finding::kInsufficientData && IsSuspect(effect) && large) {
    verdict.finding = Finding::kWarning;
    verdict.reason = fmt::format("{:+.1f} % over {} rounds: {}", (effect.ratio - 1) * 100,
                                 effect.rounds, kNotInterleaved);
  }
  comparison.verdict = std::move(verdict);
  return comparison;
}

std::vector<std::string> StagesOf(const std::vector<StageSummary>& summaries) {
  std::vector<std::string> stages;
  for (const StageSummary& summary : summaries) {
    if (std::ranges::find(stages, summary.stage) == stages.end()) stages.push_back(summary.stage);
  }
  return stages;
}

void CompareTimes(const FinishedRun& a, const FinishedRun& b, const FinishedRun::Key& key,
                  const CompareOptions& options, std::vector<Comparison>& out) {
  const auto& left = a.summaries.at(key);
  const auto& right = b.summaries.at(key);
  ComparisonConfig config;
  config.margin = options.margin;
  std::vector<MetricRounds> metrics;
  std::vector<std::string> stages;
  for (const std::string& stage : StagesOf(right)) {
    for (const std::string& metric : options.metrics) {
      MetricRounds rounds;
      rounds.metric = metric;
      rounds.first = Pair(left, right, stage, metric);
      if (rounds.first.empty()) continue;
      metrics.push_back(std::move(rounds));
      stages.push_back(stage);
    }
  }
  std::vector<Verdict> verdicts = JudgeComparison(metrics, config);
  const std::string& scenario = std::get<0>(key);
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    verdicts[i].stage = stages[i];
    const bool judged = !IsTiming(metrics[i].metric) ||
                        !(a.unjudged.contains(scenario) || b.unjudged.contains(scenario));
    out.push_back(Judge(metrics[i], std::move(verdicts[i]), judged, config));
  }
}

const json* FindScenario(const FinishedRun& run, const std::string& name) {
  const auto scenarios = run.header.find("scenarios");
  if (scenarios == run.header.end() || !scenarios->is_array()) return nullptr;
  for (const json& scenario : *scenarios) {
    if (TextOr(scenario, "name") == name) return &scenario;
  }
  return nullptr;
}

// Answers can be compared where the same was asked: the workload decides what is.
void CompareTexts(const FinishedRun& a, const FinishedRun& b, const FinishedRun::Key& key,
                  std::vector<Comparison>& out) {
  const json* left = FindScenario(a, std::get<0>(key));
  const json* right = FindScenario(b, std::get<0>(key));
  const auto records_a = a.records.find(key);
  const auto records_b = b.records.find(key);
  if (left == nullptr || right == nullptr || records_a == a.records.end() ||
      records_b == b.records.end() || left->value("workload", json()).is_null() ||
      left->value("workload", json()) != right->value("workload", json())) {
    return;
  }
  AnswerRules rules;
  const json& temperature = left->at("workload").value("temperature", json(0));
  rules.greedy = temperature.is_number() && temperature.get<double>() == 0;
  rules.degeneration_judged = TextOr(*left, "weights") != "random";
  rules.a = "the first run";
  rules.b = "the second run";
  const auto answers = CompareAnswers(records_a->second, records_b->second);
  for (Verdict& verdict : JudgeAnswers(answers, rules)) out.push_back({std::move(verdict), {}, {}});
}

void Flatten(const json& value, const std::string& path, std::map<std::string, std::string>& out) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      Flatten(inner, path.empty() ? key : path + "." + key, out);
    }
  } else if (value.is_array() && !value.empty() && value.front().is_object()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      Flatten(value[i], fmt::format("{}[{}]", path, i), out);
    }
  } else {
    out[path] = value.is_string() ? value.get<std::string>()
                                  : value.dump(-1, ' ', false, json::error_handler_t::replace);
  }
}

}  // namespace

rocm::Result<FinishedRun> ReadFinishedRun(const std::filesystem::path& file) {
  FinishedRun run;
  run.file = file;
  run.state = "partial";
  const auto damage = ReadRun(file, [&run](const json& line) { Take(line, run); });
  if (!damage) return tl::unexpected(damage.error());
  if (run.header.is_null()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{}: is no run file: it has no header", file.string()));
  }
  return run;
}

std::vector<Comparison> CompareRuns(const FinishedRun& a, const FinishedRun& b,
                                    const CompareOptions& options) {
  std::vector<Comparison> comparisons;
  for (const auto& [key, summaries] : b.summaries) {
    if (!a.summaries.contains(key)) continue;
    std::vector<Comparison> own;
    CompareTimes(a, b, key, options, own);
    CompareTexts(a, b, key, own);
    for (Comparison& comparison : own) {
      comparison.verdict.scenario = std::get<0>(key);
      comparison.verdict.variant = std::get<1>(key);
      comparisons.push_back(std::move(comparison));
    }
  }
  return comparisons;
}

std::vector<std::string> DescribeDifferences(const FinishedRun& a, const FinishedRun& b) {
  std::map<std::string, std::string> left, right;
  const auto fingerprint = [](const FinishedRun& run) {
    return run.header.value("fingerprint", json::object());
  };
  Flatten(fingerprint(a), "", left);
  Flatten(fingerprint(b), "", right);
  std::vector<std::string> lines;
  for (const auto& [path, value] : left) {
    const auto other = right.find(path);
    const std::string now = other == right.end() ? "(not known)" : other->second;
    if (value != now) lines.push_back(fmt::format("{}: {} → {}", path, value, now));
  }
  for (const auto& [path, value] : right) {
    if (!left.contains(path)) lines.push_back(fmt::format("{}: (not known) → {}", path, value));
  }
  return lines;
}

}  // namespace harness
