// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <span>

#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"

namespace harness {

// The part of a stage in which the load was what it was meant to be. Closed loop: from the moment
// when as many requests as `concurrency` had been sent, until the first one ended with none left to
// send. Open loop: from the end of the ramp to the last arrival; what drains after it is outside.
[[nodiscard]] SteadyWindow FindSteadyWindow(std::span<const RequestRecord> records,
                                            const StagePlan& plan);

// Tokens whose chunk came within (start, end], of requests that were ok. Where chunks carry no
// counts, the request's tokens are spread evenly over its chunks.
[[nodiscard]] double TokensIn(const RequestRecord& record, const SteadyWindow& window);

// Time within the window during which the request was in flight.
[[nodiscard]] double SecondsIn(const RequestRecord& record, const SteadyWindow& window);

}  // namespace harness
