// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "harness/measure/probability.h"

namespace harness {
namespace {

constexpr std::array kReported = {0.5, 0.9, 0.95, 0.99};
constexpr double kConfidence = 0.95;
constexpr double kSupportConfidence = 0.99;

// 1-based rank of the order statistic: the smallest k with k >= p * n. The small allowance undoes
// the rounding of p * n, which makes 0.9 * 10 more than 9.
std::int64_t Rank(std::int64_t n, double p) {
  const double exact = p * static_cast<double>(n);
  const auto rank = static_cast<std::int64_t>(std::ceil(exact - 1e-9 * std::max(1.0, exact)));
  return std::clamp<std::int64_t>(rank, 1, n);
}

// With B ~ Binomial(n, p) samples below the true quantile, [x_(l), x_(u)] covers it with
// probability P(l <= B < u): each tail gets at most half of what may be missed.
void SetInterval(std::span<const double> sorted, Quantile& quantile) {
  const auto n = static_cast<std::int64_t>(sorted.size());
  const double tail = (1 - kConfidence) / 2;
  const std::int64_t below = BinomialQuantile(tail, n, quantile.p);
  // P(B < l) <= tail for l = the tail quantile itself: P(B <= l - 1) < tail.
  if (below >= 1) quantile.low = sorted[static_cast<std::size_t>(below - 1)];
  const std::int64_t above = BinomialQuantile(1 - tail, n, quantile.p) + 1;
  if (above <= n) quantile.high = sorted[static_cast<std::size_t>(above - 1)];
}

}  // namespace

std::string QuantileName(double p) { return fmt::format("p{:g}", p * 100); }

const Quantile* Distribution::Find(double p) const {
  for (const Quantile& quantile : quantiles) {
    if (std::abs(quantile.p - p) < 1e-12) return &quantile;
  }
  return nullptr;
}

double QuantileOf(std::span<const double> sorted, double p) {
  if (sorted.empty() || !(p > 0 && p <= 1)) std::abort();
  return sorted[static_cast<std::size_t>(Rank(static_cast<std::int64_t>(sorted.size()), p) - 1)];
}

std::int64_t MinimumSamples(double p) {
  if (!(p > 0 && p < 1)) std::abort();
  const double beyond = std::min(p, 1 - p);
  // P(at most one sample beyond) falls with n: double, then bisect.
  const auto too_few = [&](std::int64_t n) {
    return BinomialCdf(1, n, beyond) > 1 - kSupportConfidence;
  };
  std::int64_t high = 2;
  while (too_few(high)) high *= 2;
  std::int64_t low = high / 2;
  while (low + 1 < high) {
    const std::int64_t middle = low + (high - low) / 2;
    (too_few(middle) ? low : high) = middle;
  }
  return high;
}

Distribution Describe(std::span<const double> samples) {
  Distribution result;
  result.n = static_cast<std::int64_t>(samples.size());
  if (samples.empty()) return result;
  std::vector<double> sorted(samples.begin(), samples.end());
  if (!std::ranges::all_of(sorted, [](double x) { return std::isfinite(x); })) std::abort();
  std::ranges::sort(sorted);
  const auto n = static_cast<double>(result.n);
  result.min = sorted.front();
  result.max = sorted.back();
  result.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
  if (result.n > 1) {
    double squares = 0;
    for (const double x : sorted) squares += (x - result.mean) * (x - result.mean);
    result.sd = std::sqrt(squares / (n - 1));
  }
  for (const double p : kReported) {
    Quantile quantile;
    quantile.p = p;
    quantile.value = QuantileOf(sorted, p);
    quantile.supported = result.n >= MinimumSamples(p);
    SetInterval(sorted, quantile);
    result.quantiles.push_back(quantile);
  }
  return result;
}

}  // namespace harness
