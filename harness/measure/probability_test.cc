// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/probability.h"

#include <gtest/gtest.h>

#include <cmath>

namespace harness {
namespace {

// Exact: sums of binomial terms as fractions.
TEST(Binomial, Cdf) {
  EXPECT_NEAR(BinomialCdf(0, 3, 0.5), 1.0 / 8, 1e-14);
  EXPECT_NEAR(BinomialCdf(1, 3, 0.5), 4.0 / 8, 1e-14);
  EXPECT_NEAR(BinomialCdf(2, 4, 0.25), 243.0 / 256, 1e-14);
  EXPECT_EQ(BinomialCdf(-1, 4, 0.25), 0);
  EXPECT_EQ(BinomialCdf(4, 4, 0.25), 1);
  EXPECT_EQ(BinomialCdf(0, 4, 0.0), 1);
  EXPECT_NEAR(BinomialCdf(0, 1000, 0.001), std::pow(0.999, 1000), 1e-13);
}

TEST(Binomial, QuantileInvertsTheCdf) {
  for (const std::int64_t n : {1, 2, 10, 64, 662, 100'000}) {
    for (const double p : {0.01, 0.5, 0.9, 0.99}) {
      for (const double q : {0.025, 0.5, 0.975}) {
        const std::int64_t k = BinomialQuantile(q, n, p);
        EXPECT_GE(BinomialCdf(k, n, p), q);
        EXPECT_TRUE(k == 0 || BinomialCdf(k - 1, n, p) < q);
      }
    }
  }
}

// Published tables of Student's t (two-sided 95 % and 99 %).
TEST(Student, Quantiles) {
  EXPECT_NEAR(StudentQuantile(0.975, 1), 12.706204736174698, 1e-8);
  EXPECT_NEAR(StudentQuantile(0.975, 2), 4.302652729749464, 1e-10);
  EXPECT_NEAR(StudentQuantile(0.975, 9), 2.2621571628540993, 1e-10);
  EXPECT_NEAR(StudentQuantile(0.995, 30), 2.7499956535670305, 1e-10);
  EXPECT_NEAR(StudentQuantile(0.025, 9), -2.2621571628540993, 1e-10);
  EXPECT_NEAR(StudentQuantile(0.5, 5), 0, 1e-12);
}

// With one degree of freedom t is Cauchy, with two it has a closed form.
TEST(Student, CdfClosedForms) {
  for (const double t : {-30.0, -1.5, -0.1, 0.0, 0.7, 4.0}) {
    EXPECT_NEAR(StudentCdf(t, 1), 0.5 + std::atan(t) / M_PI, 1e-12);
    EXPECT_NEAR(StudentCdf(t, 2), 0.5 + t / (2 * std::sqrt(2 + t * t)), 1e-12);
  }
}

TEST(Normal, KnownValues) {
  EXPECT_NEAR(NormalCdf(1.959963984540054), 0.975, 1e-14);
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(NormalQuantile(0.001), -3.090232306167813, 1e-11);
}

TEST(IncompleteBeta, ClosedForms) {
  EXPECT_NEAR(IncompleteBeta(1, 1, 0.3), 0.3, 1e-14);
  EXPECT_NEAR(IncompleteBeta(2, 1, 0.3), 0.09, 1e-14);
  EXPECT_NEAR(IncompleteBeta(1, 3, 0.2), 1 - 0.512, 1e-14);
  EXPECT_NEAR(IncompleteBeta(50'000, 50'000, 0.5), 0.5, 1e-10);
}

}  // namespace
}  // namespace harness
