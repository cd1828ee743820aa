// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "harness/base/random.h"
#include "harness/scenario/lengths.h"
#include "harness/scenario/stage.h"

namespace harness {

// When the requests of an open loop are due, from the start of the stage; never decreasing. The
// same plan gives the same times, whatever the server does. Not thread-safe.
class Arrivals {
 public:
  // Keeps a reference to `plan`.
  explicit Arrivals(const OpenLoop& plan);
  explicit Arrivals(OpenLoop&&) = delete;

  // nullopt only at the end of a trace.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> Next();

 private:
  const OpenLoop& plan_;
  Random random_;
  double at_s_ = 0;
  std::int64_t count_ = 0;
};

// One length of the distribution.
[[nodiscard]] int Draw(const Length& length, Random& random);

}  // namespace harness
