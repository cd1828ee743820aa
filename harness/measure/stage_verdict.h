// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"

namespace harness {

// A verdict on one statistic of a stage, its place filled in. The finding, the numbers and the
// reason are the caller's.
[[nodiscard]] Verdict VerdictOn(const StageSummary& summary, VerdictKind kind, std::string metric);

// The same on a number that may be `limit` at the most: a pass or a fail, over all requests.
[[nodiscard]] Verdict VerdictAtMost(const StageSummary& summary, VerdictKind kind,
                                    std::string metric, double observed, double limit,
                                    std::string reason);

}  // namespace harness
