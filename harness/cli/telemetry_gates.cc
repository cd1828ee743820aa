// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/telemetry_gates.h"

#include <fmt/format.h>

#include "harness/measure/stage_verdict.h"

namespace harness {
namespace {

constexpr const char* kThrottled = "throttled_samples";
constexpr const char* kForeign = "foreign_gpu_processes";

}  // namespace

std::vector<Verdict> JudgeTelemetry(std::span<const TelemetryFlag> flags,
                                    const StageSummary& summary) {
  std::vector<Verdict> verdicts;
  for (const TelemetryFlag& flag : flags) {
    const bool throttled = flag.kind == TelemetryFlag::Kind::kThrottled;
    const int seen = throttled ? flag.samples : flag.most;
    Verdict verdict = VerdictAtMost(
        summary, VerdictKind::kGate, throttled ? kThrottled : kForeign, seen, 0,
        throttled
            ? fmt::format("{} slowed itself down (heat or hardware protection) in {} sample{}",
                          flag.device, seen, seen == 1 ? "" : "s")
            : fmt::format("{} process{} of others computed on {} meanwhile", seen,
                          seen == 1 ? "" : "es", flag.device));
    verdict.finding = Finding::kWarning;
    verdict.n = flag.samples;
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

bool IsTelemetryWarning(const Verdict& verdict) {
  return verdict.kind == VerdictKind::kGate && verdict.finding == Finding::kWarning &&
         (verdict.metric == kThrottled || verdict.metric == kForeign);
}

}  // namespace harness
