// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace harness {

// How many tokens: one number, or a distribution that each request draws from.
struct FixedLength {
  int tokens = 0;
  friend bool operator==(const FixedLength&, const FixedLength&) = default;
};
struct UniformLength {  // both ends included
  int from = 0;
  int to = 0;
  friend bool operator==(const UniformLength&, const UniformLength&) = default;
};
struct LognormalLength {
  double median = 0;
  double sigma = 0;  // of the logarithm
  int max = 0;       // longer draws are cut to this
  friend bool operator==(const LognormalLength&, const LognormalLength&) = default;
};
struct ChoiceLength {  // each equally likely
  std::vector<int> tokens;
  friend bool operator==(const ChoiceLength&, const ChoiceLength&) = default;
};
using Length = std::variant<FixedLength, UniformLength, LognormalLength, ChoiceLength>;

// The largest number that it can yield.
[[nodiscard]] int MaxOf(const Length& length);
// "128", "uniform 64–512": for plans and tables.
[[nodiscard]] std::string Describe(const Length& length);

}  // namespace harness
