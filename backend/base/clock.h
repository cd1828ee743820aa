// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>

namespace rocm {

// CLOCK_MONOTONIC. Every measurement uses it, so that a server on the same machine can be held
// against ours.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Nanoseconds = std::chrono::nanoseconds;

// The one place that reads it.
[[nodiscard]] inline TimePoint Now() { return Clock::now(); }

[[nodiscard]] inline std::int64_t ToNs(TimePoint t) {
  return std::chrono::duration_cast<Nanoseconds>(t.time_since_epoch()).count();
}

}  // namespace rocm
