// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/stage_verdict.h"

#include <utility>

namespace harness {

Verdict VerdictOn(const StageSummary& summary, VerdictKind kind, std::string metric) {
  Verdict verdict;
  verdict.kind = kind;
  verdict.scenario = summary.scenario;
  verdict.variant = summary.variant;
  verdict.stage = summary.stage;
  verdict.metric = std::move(metric);
  return verdict;
}

Verdict VerdictAtMost(const StageSummary& summary, VerdictKind kind, std::string metric,
                      double observed, double limit, std::string reason) {
  Verdict verdict = VerdictOn(summary, kind, std::move(metric));
  verdict.finding = observed <= limit ? Finding::kPass : Finding::kFail;
  verdict.op = "<=";
  verdict.limit = limit;
  verdict.observed = observed;
  verdict.n = summary.requests;
  verdict.reason = std::move(reason);
  return verdict;
}

}  // namespace harness
