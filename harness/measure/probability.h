// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>

namespace harness {

// The few distribution functions that the statistics need. Arguments out of range are bugs and
// abort. Relative accuracy about 1e-12.

// P(X <= k) for X ~ Binomial(n, p).
[[nodiscard]] double BinomialCdf(std::int64_t k, std::int64_t n, double p);
// The smallest k with P(X <= k) >= q; q in (0, 1).
[[nodiscard]] std::int64_t BinomialQuantile(double q, std::int64_t n, double p);

// The regularised incomplete beta function I_x(a, b).
[[nodiscard]] double IncompleteBeta(double a, double b, double x);

// P(T <= t) for Student's t.
[[nodiscard]] double StudentCdf(double t, double degrees);
// The t with P(T <= t) = q; q in (0, 1).
[[nodiscard]] double StudentQuantile(double q, double degrees);

[[nodiscard]] double NormalCdf(double z);
[[nodiscard]] double NormalQuantile(double q);

}  // namespace harness
