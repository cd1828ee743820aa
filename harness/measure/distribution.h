// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace harness {

// A percentile by exact order statistics: the smallest sample that at least p x n samples do not
// exceed. Nothing is interpolated.
struct Quantile {
  double p = 0;
  double value = 0;
  // Distribution-free 95 % interval from order statistics, of samples taken as independent; a side
  // is empty where n is too small to have it.
  std::optional<double> low;
  std::optional<double> high;
  // n carries this percentile: see MinimumSamples().
  bool supported = false;
};

// n samples of one quantity.
struct Distribution {
  std::int64_t n = 0;
  double mean = 0;
  double sd = 0;  // of the sample (n - 1); 0 when n < 2
  double min = 0;
  double max = 0;
  std::vector<Quantile> quantiles;  // 0.5, 0.9, 0.95, 0.99; none when n is 0

  [[nodiscard]] const Quantile* Find(double p) const;
};

// "p50", "p99", "p99.9".
[[nodiscard]] std::string QuantileName(double p);

// Copies and sorts. NaN and infinities are the caller's bug: aborts.
[[nodiscard]] Distribution Describe(std::span<const double> samples);

// The order statistic itself. `sorted` ascending and not empty, p in (0, 1].
[[nodiscard]] double QuantileOf(std::span<const double> sorted, double p);

// The smallest n at which percentile p is reported as supported: with 99 % probability at least two
// samples lie beyond the true percentile. 11 for p50, 64 for p90, 662 for p99; symmetrical in p.
[[nodiscard]] std::int64_t MinimumSamples(double p);

}  // namespace harness
