// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>

#include "backend/http/endpoint.h"
#include "harness/cli/run_context.h"
#include "harness/measure/fault_summary.h"
#include "harness/scenario/scenario.h"
#include "harness/target/target.h"

namespace harness {

// Whether the blow fell at the plan's moment, by what the streams in flight had got by then.
[[nodiscard]] bool MomentHit(const FaultPlan& plan, const Injection& injection);
// True where nothing answers /health for so long.
[[nodiscard]] bool IsSilent(const rocm::http::Endpoint& endpoint, std::chrono::milliseconds limit);

// The events fault_injected, and server_recovered, not_recovered or crash_loop_ended.
void NoteInjection(RunContext& context, const RunPlace& place, const FaultPlan& plan, pid_t pid,
                   const Injection& injection);
void NoteRecovery(RunContext& context, const RunPlace& place, const FaultPlan& plan,
                  const Injection& injection);

// Expectations without a stage are about the faults, and about no stage of requests.
[[nodiscard]] Scenario WithoutFaultExpectations(const Scenario& scenario);
// Summary and verdicts of the stage `recovery`, written and added to the report. Beside what the
// scenario expects: every server recovered within its bound, and no process is left.
void ConcludeFaults(RunContext& context, const Scenario& scenario, const std::string& variant,
                    const TargetFacts& facts, std::span<const Injection> injections);
// The whole scenario is not for this target.
void ReportNotJudged(RunContext& context, const Scenario& scenario, const std::string& why);

}  // namespace harness
