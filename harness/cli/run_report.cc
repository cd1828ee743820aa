// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/run_report.h"

#include <fmt/format.h>

#include "harness/cli/exit_code.h"
#include "harness/cli/telemetry_gates.h"

namespace harness {

RunEnd JudgeRun(const RunReport& report, const std::optional<rocm::Error>& lost, bool interrupted) {
  RunEnd end;
  bool failed = false, invalid = false;
  std::int64_t requests = 0, ok = 0;
  for (const StageReport& stage : report.stages) {
    requests += stage.summary.requests;
    ok += stage.summary.requests_ok;
    for (const Verdict& verdict : stage.verdicts) {
      if (verdict.finding == Finding::kFail) failed = true;
      if (verdict.finding != Finding::kInvalid && !IsTelemetryWarning(verdict)) continue;
      invalid = invalid || verdict.finding == Finding::kInvalid;
      end.reasons.push_back(
          fmt::format("{} {}: {}", stage.scenario, stage.stage.name, verdict.reason));
    }
  }
  for (const auto& [verdict, a, b] : report.comparisons) {
    failed = failed || verdict.finding == Finding::kRegression || verdict.finding == Finding::kFail;
    if (verdict.finding != Finding::kInvalid) continue;
    invalid = true;
    end.reasons.push_back(fmt::format("{} {}: {}: {}", verdict.scenario, verdict.variant,
                                      verdict.metric, verdict.reason));
  }
  // Whatever was expected: a run in which nothing worked has not passed.
  if (requests > 0 && ok == 0) failed = true;
  ExitCode code = failed ? ExitCode::kCheckFailed : invalid ? ExitCode::kInvalid : ExitCode::kPass;
  if (invalid) end.status = RunStatus::kInvalid;
  if (lost) {
    end.status = RunStatus::kPartial;
    end.reasons.push_back(lost->message);
    if (code == ExitCode::kPass) code = ExitCode::kInvalid;
  }
  if (report.failure) {
    end.status = RunStatus::kPartial;
    end.reasons.push_back(report.failure->message);
    code = ExitCodeOf(*report.failure);
  }
  if (interrupted) {
    end.status = RunStatus::kPartial;
    end.reasons.insert(end.reasons.begin(), "interrupted");
    code = ExitCode::kInterrupted;
  }
  end.exit_code = static_cast<int>(code);
  return end;
}

}  // namespace harness
