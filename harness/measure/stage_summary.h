// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "harness/measure/distribution.h"
#include "harness/measure/request_record.h"

namespace harness {

// Limits of one request; it is good when it is ok and within every limit that is set.
struct LatencyLimits {
  std::optional<double> ttft_ms;  // from the scheduled time
  std::optional<double> tpot_ms;
  std::optional<double> e2e_ms;  // from the scheduled time
  [[nodiscard]] bool any() const { return ttft_ms || tpot_ms || e2e_ms; }
};

inline constexpr int kAllRounds = -1;

// One statistic over rounds, which are independent where requests of one round are not.
struct AcrossRounds {
  int rounds = 0;
  double mean = 0;
  double sd = 0;
  // 95 % interval of the mean by Student's t; empty for a single round.
  std::optional<double> low;
  std::optional<double> high;
  // The relative change that a second run of as many rounds would show with 80 % power at 5 %:
  // 0.03 = 3 %. Empty for a single round, or a mean of 0.
  std::optional<double> smallest_effect;
};

// CLOCK_MONOTONIC; empty when end_ns <= start_ns.
struct SteadyWindow {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  [[nodiscard]] double seconds() const {
    return end_ns > start_ns ? static_cast<double>(end_ns - start_ns) * 1e-9 : 0.0;
  }
};

// What a stage was asked to do, as far as its numbers depend on it.
struct StagePlan {
  // Closed loop: streams at once; 0 for an open loop.
  int concurrency = 0;
  // Open loop: the end of the ramp, and of the arrivals.
  std::int64_t window_start_ns = 0;  // 0: found from the records
  std::int64_t window_end_ns = 0;
  // What each answer was asked to have ("fixed" lengths); 0: not fixed.
  int fixed_output_tokens = 0;
  // Prompts may come from the cache; otherwise cached tokens are counted as violations.
  bool caching_expected = false;
  LatencyLimits limits;
};

// The numbers of one stage of one round; docs/metrics.md defines each name.
struct StageSummary {
  std::string scenario;
  std::string variant;
  int round = 0;  // kAllRounds: of all of them together
  std::string stage;
  SteadyWindow window;
  std::int64_t requests = 0;
  std::int64_t requests_ok = 0;
  std::int64_t requests_failed = 0;
  std::map<std::string, std::int64_t> outcomes;       // "ok" among them
  std::map<std::string, std::int64_t> token_sources;  // of the requests that were ok
  std::map<std::string, Distribution> distributions;  // "ttft_ms": over requests (icl_ms: gaps)
  std::map<std::string, double> values;               // "throughput_tokens_per_s"
  std::map<std::string, std::int64_t> counts;         // "output_tokens_total"
  std::map<std::string, AcrossRounds> rounds;         // kAllRounds only: by statistic path
};

// From the records of one stage of one round, in any order.
[[nodiscard]] StageSummary Summarise(std::span<const RequestRecord> records, const StagePlan& plan);

// All rounds of one stage: counts are added, distributions are over all requests, values are the
// mean over rounds, and `rounds` holds the interval of every value and of every median.
// `summaries` are those of the single rounds, `records` all their requests.
[[nodiscard]] StageSummary SummariseRounds(std::span<const StageSummary> summaries,
                                           std::span<const RequestRecord> records);

// One statistic by its path: "ttft_ms.p99", "ttft_ms.n", "throughput_tokens_per_s",
// "requests_failed", "outcomes.connection_reset". A bare distribution name means its median, and
// itl_ms is another name for tpot_ms.
struct Statistic {
  double value = 0;
  std::int64_t n = 0;
  bool supported = true;  // false: a percentile that n does not carry
  std::optional<double> low;
  std::optional<double> high;
};
// nullopt when there is no such metric, or it has no samples.
[[nodiscard]] std::optional<Statistic> FindStatistic(const StageSummary& summary,
                                                     std::string_view path);

}  // namespace harness
