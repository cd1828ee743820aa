// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace harness {

// As many requests at once as `concurrency`: each stream sends its next request when its last one
// has ended. Streams start evenly spread over `ramp`.
struct ClosedLoop {
  int concurrency = 1;
  std::chrono::milliseconds ramp{0};
  friend bool operator==(const ClosedLoop&, const ClosedLoop&) = default;
};

enum class ArrivalProcess { kConstant, kPoisson, kGamma, kTrace };

// One line of a trace file: {"at_s": 0.5, "prompt_tokens": 12, "output_tokens": 64}.
struct TraceArrival {
  std::chrono::nanoseconds at{0};  // from the start of the stage
  std::optional<int> prompt_tokens = {};
  std::optional<int> output_tokens = {};
  friend bool operator==(const TraceArrival&, const TraceArrival&) = default;
};

// Requests are due at times that do not depend on the server. At most `max_in_flight` are open at
// once; those that have to wait for that keep the time at which they were due.
struct OpenLoop {
  ArrivalProcess process = ArrivalProcess::kPoisson;
  double rate_per_s = 0;
  double shape = 1;  // gamma only: 1 is Poisson, below is burstier, above is more regular
  std::uint64_t seed = 0;
  std::string trace_file = {};  // as the scenario file names it
  std::vector<TraceArrival> trace = {};
  int max_in_flight = 5'000;
  friend bool operator==(const OpenLoop&, const OpenLoop&) = default;
};

// Bounded by at least one of `requests` (started in all) and `duration` (of starting new ones).
// What is in flight at the end is always waited for, within its deadlines.
struct Stage {
  std::string name;
  std::variant<ClosedLoop, OpenLoop> load = ClosedLoop{};
  std::optional<std::int64_t> requests = {};
  std::optional<std::chrono::milliseconds> duration = {};
  bool record = true;  // false: warm-up; its prompts differ from those of recorded stages
};

}  // namespace harness
