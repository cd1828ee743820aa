// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <span>
#include <vector>

#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"
#include "harness/telemetry/sampler.h"

namespace harness {

// A warning for everything seen on the machine that makes a stage's times doubtful: a card that
// throttled, processes of others on it. Such a run stays valid, and its end says why to repeat it.
[[nodiscard]] std::vector<Verdict> JudgeTelemetry(std::span<const TelemetryFlag> flags,
                                                  const StageSummary& summary);
[[nodiscard]] bool IsTelemetryWarning(const Verdict& verdict);

}  // namespace harness
