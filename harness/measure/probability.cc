// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/probability.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>

namespace harness {
namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

// lgamma() writes a global in the C library; lgamma_r() does not.
double LogGamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

// Lentz's continued fraction; converges fast for x < (a + 1)/(a + b + 2).
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int kMaxSteps = 100'000;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  if (std::abs(d) < kTiny) d = kTiny;
  d = 1 / d;
  double result = d;
  for (int m = 1; m <= kMaxSteps; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 + even * d;
    c = 1 + even / c;
    if (std::abs(d) < kTiny) d = kTiny;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + odd * d;
    c = 1 + odd / c;
    if (std::abs(d) < kTiny) d = kTiny;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    const double step = d * c;
    result *= step;
    if (std::abs(step - 1) < 1e-15) break;
  }
  return result;
}

// The q-quantile of an increasing function by bisection: about 60 steps, no bad cases.
template <typename Cdf>
double Invert(const Cdf& cdf, double q) {
  double low = -1;
  double high = 1;
  while (cdf(low) > q) low *= 2;
  while (cdf(high) < q) high *= 2;
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (cdf(middle) < q ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

}  // namespace

double IncompleteBeta(double a, double b, double x) {
  Check(a > 0 && b > 0 && x >= 0 && x <= 1);
  if (x == 0 || x == 1) return x;
  const double front =
      std::exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * BetaFraction(a, b, x) / a;
  return 1 - front * BetaFraction(b, a, 1 - x) / b;
}

double BinomialCdf(std::int64_t k, std::int64_t n, double p) {
  Check(n >= 0 && p >= 0 && p <= 1);
  if (k < 0) return 0;
  if (k >= n) return 1;
  return IncompleteBeta(static_cast<double>(n - k), static_cast<double>(k + 1), 1 - p);
}

std::int64_t BinomialQuantile(double q, std::int64_t n, double p) {
  Check(q > 0 && q < 1);
  std::int64_t low = -1;  // cdf(low) < q <= cdf(high)
  std::int64_t high = n;
  while (low + 1 < high) {
    const std::int64_t middle = low + (high - low) / 2;
    (BinomialCdf(middle, n, p) >= q ? high : low) = middle;
  }
  return high;
}

double StudentCdf(double t, double degrees) {
  Check(degrees > 0);
  const double t2 = t * t;
  // Near the middle the mass between -t and t is what is small, far out it is the tail.
  if (t2 < degrees) {
    const double half = 0.5 * IncompleteBeta(0.5, degrees / 2, t2 / (degrees + t2));
    return t > 0 ? 0.5 + half : 0.5 - half;
  }
  const double tail = 0.5 * IncompleteBeta(degrees / 2, 0.5, degrees / (degrees + t2));
  return t > 0 ? 1 - tail : tail;
}

double StudentQuantile(double q, double degrees) {
  Check(q > 0 && q < 1);
  // From the lower tail, where the function keeps its relative accuracy.
  if (q > 0.5) return -StudentQuantile(1 - q, degrees);
  return Invert([&](double t) { return StudentCdf(t, degrees); }, q);
}

double NormalCdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double NormalQuantile(double q) {
  Check(q > 0 && q < 1);
  if (q > 0.5) return -NormalQuantile(1 - q);
  return Invert([](double z) { return NormalCdf(z); }, q);
}

}  // namespace harness
