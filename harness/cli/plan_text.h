// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace harness {

// For stages that are bounded by requests only: how long those take depends on the server, so the
// plan says what it assumed.
struct AssumedSpeed {
  double decode_tokens_per_s = 50;  // of one stream
  double prefill_tokens_per_s = 1'000;
  double load_s = 5;
};

// What a run would do, and the time that it would take.
[[nodiscard]] std::string DescribePlan(const std::vector<Scenario>& scenarios,
                                       std::optional<int> rounds, const AssumedSpeed& speed);

}  // namespace harness
