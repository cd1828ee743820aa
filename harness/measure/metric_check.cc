// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/metric_check.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "harness/measure/stage_verdict.h"

namespace harness {
namespace {

bool Compare(double left, std::string_view op, double right) {
  if (op == "==") return left == right;
  if (op == "!=") return left != right;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  if (op == ">=") return left >= right;
  std::abort();
}

}  // namespace

bool IsTiming(std::string_view metric) {
  const std::string_view name = metric.substr(0, metric.find('.'));
  if (metric.ends_with(".n")) return false;
  return name.ends_with("_ms") || name.ends_with("_per_s") || name.ends_with("_s") ||
         name == "goodput_ratio" || name == "bandwidth_utilisation_ratio" ||
         name == "good_requests" || name == "fairness_jain" || name == "concurrency_mean";
}

Verdict Judge(const MetricCheck& check, const StageSummary& summary,
              std::optional<double> error_bound) {
  Verdict verdict = VerdictOn(summary, VerdictKind::kExpectation, check.metric);
  verdict.op = check.op;
  verdict.limit = check.value;
  verdict.error_bound = error_bound;
  const bool judged = check.judged && (check.timing_judged || !IsTiming(check.metric));
  const auto statistic = FindStatistic(summary, check.metric);
  if (!statistic) {
    verdict.finding = judged ? Finding::kFail : Finding::kNotJudged;
    verdict.reason = fmt::format("no samples of {} in this stage ({} of {} requests ok)",
                                 check.metric, summary.requests_ok, summary.requests);
    return verdict;
  }
  verdict.observed = statistic->value;
  verdict.low = statistic->low;
  verdict.high = statistic->high;
  verdict.n = statistic->n;
  if (!judged) {
    verdict.finding = Finding::kNotJudged;
    verdict.reason = check.judged ? "this scenario's times are not judged" : "not for this target";
    return verdict;
  }
  const double allowed = kMaxErrorShare * std::abs(statistic->value);
  if (error_bound && *error_bound > allowed) {
    verdict.finding = Finding::kInvalid;
    verdict.reason = fmt::format(
        "the instrument's error, up to {:.3g}, is more than {:.0f} % of the measured {:.4g}",
        *error_bound, kMaxErrorShare * 100, statistic->value);
    return verdict;
  }
  const bool holds = Compare(statistic->value, check.op, check.value);
  verdict.finding = holds ? Finding::kPass : Finding::kFail;
  verdict.reason = fmt::format("{} is {:.6g}, expected {} {:.6g}", check.metric, statistic->value,
                               check.op, check.value);
  if (!statistic->supported) {
    verdict.reason += fmt::format("; {} samples do not carry this percentile", statistic->n);
  }
  return verdict;
}

}  // namespace harness
