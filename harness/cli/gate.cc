// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>

#include "harness/measure/metric_check.h"
#include "harness/measure/unpaired.h"
#include "harness/record/run_index.h"

namespace harness {
namespace {

double MeanOf(const std::vector<double>& values) {
  return values.empty() ? 0
                        : std::accumulate(values.begin(), values.end(), 0.0) /
                              static_cast<double>(values.size());
}

std::vector<double> StartsOf(const BaselineSeries& series, const std::string& metric) {
  const auto found = series.metrics.find(metric);
  if (found == series.metrics.end()) return {};
  // A percentile of all rounds together has one value only.
  return found->second.starts.empty() ? std::vector{found->second.value} : found->second.starts;
}

// One statistic of one series on both sides.
struct Pairing {
  const BaselineSeries* baseline = nullptr;
  std::vector<const BaselineSeries*> candidates;  // of each run that has it
  UnpairedSamples samples;
};

std::vector<const BaselineSeries*> InCandidates(const GateSides& input, const std::string& key) {
  std::vector<const BaselineSeries*> found;
  for (const Baseline& candidate : input.candidates) {
    if (const BaselineSeries* series = candidate.Find(key)) found.push_back(series);
  }
  return found;
}

std::vector<Pairing> Pair(const GateSides& input) {
  std::vector<Pairing> pairings;
  for (const BaselineSeries& series : input.baseline.series) {
    const auto candidates = InCandidates(input, series.series);
    for (const std::string& metric : input.metrics) {
      Pairing pairing{&series, candidates, {}};
      pairing.samples.metric = metric;
      pairing.samples.baseline = StartsOf(series, metric);
      for (const BaselineSeries* candidate : candidates) {
        const std::vector<double> starts = StartsOf(*candidate, metric);
        auto& side =
            pairing.samples.first.empty() ? pairing.samples.first : pairing.samples.confirmation;
        side.insert(side.end(), starts.begin(), starts.end());
      }
      if (pairing.samples.baseline.empty() || pairing.samples.first.empty()) continue;
      const auto fence = input.fences.find({series.series, metric});
      if (fence != input.fences.end()) pairing.samples.fence = fence->second;
      pairings.push_back(std::move(pairing));
    }
  }
  return pairings;
}

// The largest share that the instrument's error has of the statistic, on any side.
std::optional<double> ErrorShare(const Pairing& pairing) {
  std::optional<double> largest;
  const auto look = [&](const BaselineSeries& series) {
    const auto metric = series.metrics.find(pairing.samples.metric);
    if (metric == series.metrics.end() || !metric->second.error_bound) return;
    largest = std::max(largest.value_or(0), *metric->second.error_bound / metric->second.value);
  };
  look(*pairing.baseline);
  for (const BaselineSeries* candidate : pairing.candidates) look(*candidate);
  return largest;
}

bool IsJudged(const Pairing& pairing) {
  const auto judged = [](const BaselineSeries* series) { return series->judged; };
  return !IsTiming(pairing.samples.metric) ||
         (judged(pairing.baseline) && std::ranges::all_of(pairing.candidates, judged));
}

void Place(const BaselineSeries& series, Verdict& verdict) {
  verdict.scenario = series.scenario;
  verdict.variant = series.variant;
  verdict.stage = series.stage;
}

std::vector<GateLine> JudgeMetrics(const GateSides& input) {
  const std::vector<Pairing> pairings = Pair(input);
  // What is not judged must not weigh on the others' corrected p-values.
  std::vector<UnpairedSamples> judged;
  for (const Pairing& pairing : pairings) {
    if (IsJudged(pairing)) judged.push_back(pairing.samples);
  }
  std::vector<Verdict> verdicts = JudgeUnpaired(judged, input.config);
  std::vector<GateLine> lines;
  std::size_t next = 0;
  for (const Pairing& pairing : pairings) {
    GateLine line;
    if (IsJudged(pairing)) {
      line.verdict = std::move(verdicts[next++]);
      const auto share = ErrorShare(pairing);
      if (share && *share > kMaxErrorShare && IsTiming(pairing.samples.metric)) {
        line.verdict.finding = Finding::kInvalid;
        line.verdict.reason += fmt::format(
            "; the instrument's error, up to {:.1f} %, is too large to compare", *share * 100);
      }
    } else {
      line.verdict = JudgeUnpaired(std::vector{pairing.samples}, input.config).front();
      line.verdict.finding = Finding::kNotJudged;
      line.verdict.reason += "; this scenario's times are not judged";
    }
    Place(*pairing.baseline, line.verdict);
    line.baseline = MeanOf(pairing.samples.baseline);
    std::vector<double> all = pairing.samples.first;
    all.insert(all.end(), pairing.samples.confirmation.begin(), pairing.samples.confirmation.end());
    line.candidate = MeanOf(all);
    lines.push_back(std::move(line));
  }
  return lines;
}

// Greedy answers to the same requests. Another kernel may round otherwise, so that a change is told
// and fails nothing: a scenario that wants them equal says so itself.
std::vector<GateLine> CompareAnswers(const GateSides& input) {
  std::vector<GateLine> lines;
  for (const BaselineSeries& series : input.baseline.series) {
    std::int64_t compared = 0;
    std::set<std::int64_t> differing;
    for (const BaselineSeries* candidate : InCandidates(input, series.series)) {
      for (const auto& [index, hash] : candidate->answers) {
        const auto before = series.answers.find(index);
        if (before == series.answers.end()) continue;
        ++compared;
        if (before->second != hash) differing.insert(index);
      }
    }
    if (compared == 0) continue;
    GateLine line;
    Place(series, line.verdict);
    line.verdict.kind = VerdictKind::kComparison;
    line.verdict.metric = "answers_differing";
    line.verdict.observed = static_cast<double>(differing.size());
    line.verdict.n = compared;
    line.verdict.finding = differing.empty() ? Finding::kNoChange : Finding::kWarning;
    line.verdict.reason =
        differing.empty()
            ? fmt::format("the greedy answers to {} requests are the baseline's", compared)
            : fmt::format(
                  "greedy answers CHANGED: of {} compared, those to requests {} differ "
                  "from the baseline",
                  compared, fmt::join(differing, ", "));
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<GateLine> CompareFailures(const GateSides& input) {
  std::vector<GateLine> lines;
  for (const BaselineSeries& series : input.baseline.series) {
    std::int64_t failed = 0;
    std::int64_t requests = 0;
    for (const BaselineSeries* candidate : InCandidates(input, series.series)) {
      failed += candidate->requests_failed;
      requests += candidate->requests;
    }
    const auto share = [](std::int64_t part, std::int64_t whole) {
      return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
    };
    if (share(failed, requests) <= share(series.requests_failed, series.requests)) continue;
    GateLine line;
    Place(series, line.verdict);
    line.verdict.kind = VerdictKind::kComparison;
    line.verdict.metric = "requests_failed";
    line.verdict.observed = static_cast<double>(failed);
    line.verdict.n = requests;
    line.verdict.finding = Finding::kWarning;
    line.verdict.reason = fmt::format("{} of {} requests failed, {} of {} in the baseline", failed,
                                      requests, series.requests_failed, series.requests);
    lines.push_back(std::move(line));
  }
  return lines;
}

// "concurrency=1,candidate against baseline" is of "concurrency=1"; "concurrency=16,…" is not.
bool IsOfVariant(std::string_view comparison, std::string_view variant) {
  return variant.empty() ||
         (comparison.starts_with(variant) &&
          (comparison.size() == variant.size() || comparison[variant.size()] == ','));
}

// An A/B among the candidates decides what the others could only suspect.
void TakeComparisons(const GateSides& input, std::vector<GateLine>& lines) {
  for (const Baseline& candidate : input.candidates) {
    for (const Verdict& verdict : candidate.comparisons) {
      const bool settles =
          verdict.finding == Finding::kNoChange || verdict.finding == Finding::kImprovement;
      for (GateLine& line : lines) {
        Verdict& warned = line.verdict;
        if (!settles || warned.finding != Finding::kWarning || warned.metric != verdict.metric ||
            warned.scenario != verdict.scenario || warned.stage != verdict.stage ||
            !IsOfVariant(verdict.variant, warned.variant)) {
          continue;
        }
        warned.finding = Finding::kNoChange;
        warned.reason += fmt::format("; the A/B of {} says {}: {}", candidate.runs[0].run_id,
                                     ToString(verdict.finding), verdict.reason);
      }
      lines.push_back({verdict, 0, 0});
    }
  }
}

std::vector<std::string> CovariateDifferences(const GateSides& input) {
  const auto describe = [](const nlohmann::json& covariates) {
    std::map<std::string, std::string> flat;
    for (auto& [name, value] : FlattenCovariates(covariates)) flat[name] = value;
    return flat;
  };
  const auto before = describe(input.baseline.covariates);
  std::set<std::string> lines;
  for (const Baseline& candidate : input.candidates) {
    auto after = describe(candidate.covariates);
    for (const auto& [name, value] : before) after.emplace(name, "(none)");
    for (const auto& [name, value] : after) {
      const auto old = before.find(name);
      const std::string was = old != before.end() ? old->second : "(none)";
      if (was != value) lines.insert(fmt::format("{}: {} → {}", name, was, value));
    }
  }
  return {lines.begin(), lines.end()};
}

bool AreNamesakes(const BaselineSeries& one, const BaselineSeries& other) {
  return one.scenario == other.scenario && one.variant == other.variant && one.stage == other.stage;
}

std::string NameOf(const BaselineSeries& series) {
  return fmt::format("{}{}{} · {}", series.scenario, series.variant.empty() ? "" : " ",
                     series.variant, series.stage);
}

// What the baseline has and no candidate: a scenario that was dropped, or had nothing to measure.
void AddLost(const GateSides& input, std::set<std::string>& lines) {
  const auto has = [&](const auto& matches) {
    return std::ranges::any_of(input.candidates, [&](const Baseline& candidate) {
      return std::ranges::any_of(candidate.series, matches);
    });
  };
  const bool only_ab = std::ranges::none_of(
      input.candidates, [](const Baseline& candidate) { return !candidate.series.empty(); });
  if (only_ab) return;
  for (const BaselineSeries& series : input.baseline.series) {
    if (!has([&](const BaselineSeries& other) { return AreNamesakes(series, other); })) {
      lines.insert(fmt::format("{}: in the baseline only", NameOf(series)));
      continue;
    }
    for (const std::string& metric : input.metrics) {
      if (!series.metrics.contains(metric)) continue;
      if (!has([&](const BaselineSeries& other) {
            return AreNamesakes(series, other) && other.metrics.contains(metric);
          })) {
        lines.insert(fmt::format("{}: {} in the baseline only", NameOf(series), metric));
      }
    }
  }
}

// Series without a partner, and why: with other settings, or not at all.
std::vector<std::string> NotCompared(const GateSides& input) {
  std::set<std::string> lines;
  AddLost(input, lines);
  for (const Baseline& candidate : input.candidates) {
    for (const BaselineSeries& series : candidate.series) {
      if (input.baseline.Find(series.series) != nullptr || !candidate.comparisons.empty()) continue;
      const auto namesake = std::ranges::find_if(
          input.baseline.series, [&](const auto& other) { return AreNamesakes(other, series); });
      const std::string name = NameOf(series);
      lines.insert(
          namesake == input.baseline.series.end()
              ? fmt::format("{}: not in the baseline", name)
              : fmt::format(
                    "{}: other settings than the baseline's: {}", name,
                    fmt::join(IdentityDifferences(namesake->settings, series.settings), "; ")));
    }
  }
  return {lines.begin(), lines.end()};
}

std::vector<GateLine> ComparePublished(const GateSides& input) {
  std::vector<GateLine> lines;
  const Baseline& newest = input.candidates.back();
  for (const Baseline& published : input.published) {
    for (const BaselineSeries& figure : published.series) {
      const auto ours = std::ranges::find_if(newest.series, [&](const BaselineSeries& series) {
        return series.scenario == figure.scenario && series.variant == figure.variant &&
               series.stage == figure.stage;
      });
      if (ours == newest.series.end()) continue;
      for (const auto& [name, metric] : figure.metrics) {
        const auto value = ours->metrics.find(name);
        if (value == ours->metrics.end()) continue;
        GateLine line;
        Place(*ours, line.verdict);
        line.verdict.kind = VerdictKind::kComparison;
        line.verdict.metric = name;
        line.verdict.finding = Finding::kNotJudged;
        line.verdict.observed = value->second.value / metric.value;
        line.verdict.n = ours->requests;
        line.baseline = metric.value;
        line.candidate = value->second.value;
        line.verdict.reason =
            fmt::format("{:+.1f} % against the published {:.4g}; {}",
                        (*line.verdict.observed - 1) * 100, metric.value, metric.note);
        lines.push_back(std::move(line));
      }
    }
  }
  return lines;
}

rocm::Result<void> CheckComparable(const GateSides& input) {
  for (const Baseline& candidate : input.candidates) {
    const auto differences = IdentityDifferences(input.baseline.identity, candidate.identity);
    if (differences.empty()) continue;
    return rocm::Fail(
        rocm::ErrorCode::kInvalidArgument,
        fmt::format("{} and the baseline are of different hardware, backend or model and cannot be "
                    "compared: {}",
                    candidate.runs[0].file.string(), fmt::join(differences, "; ")));
  }
  return {};
}

}  // namespace

std::string WhyNotValid(const Baseline& run) {
  for (const BaselineRun& one : run.runs) {
    if (one.status == "valid") continue;
    return fmt::format("{} is {}{}{}", one.file.string(), one.status,
                       one.reasons.empty() ? "" : ": ", fmt::join(one.reasons, "; "));
  }
  return {};
}

rocm::Result<GateReport> JudgeGate(const GateSides& input) {
  if (auto comparable = CheckComparable(input); !comparable) {
    return rocm::Fail(std::move(comparable.error()));
  }
  GateReport report;
  report.lines = JudgeMetrics(input);
  report.not_compared = NotCompared(input);
  const bool any_ab = std::ranges::any_of(
      input.candidates, [](const Baseline& candidate) { return !candidate.comparisons.empty(); });
  if (report.lines.empty() && !any_ab) {
    return rocm::Fail(
        rocm::ErrorCode::kInvalidArgument,
        fmt::format("the baseline and the candidate have no series in common with {}{}{}",
                    fmt::join(input.metrics, ", "), report.not_compared.empty() ? "" : ": ",
                    fmt::join(report.not_compared, "; ")));
  }
  std::ranges::move(CompareFailures(input), std::back_inserter(report.lines));
  std::ranges::move(CompareAnswers(input), std::back_inserter(report.lines));
  TakeComparisons(input, report.lines);
  report.published = ComparePublished(input);
  report.covariates = CovariateDifferences(input);
  report.confirmations = PlanConfirmations(input, report.lines);
  const auto any = [&](Finding finding) {
    return std::ranges::any_of(
        report.lines, [&](const GateLine& line) { return line.verdict.finding == finding; });
  };
  if (any(Finding::kRegression)) {
    report.exit = ExitCode::kCheckFailed;
  } else if (any(Finding::kInvalid)) {
    report.exit = ExitCode::kInvalid;
  }
  return report;
}

}  // namespace harness
