// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace mock {

// SplitMix64: the same numbers on every machine and library, which <random>'s distributions are
// not. Good enough for jitter and for drawing faults.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // In [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // Mean 0, standard deviation 1 (Box–Muller).
  double Normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * Uniform());
  }

 private:
  std::uint64_t state_;
};

// A seed for one of many independent streams of numbers.
[[nodiscard]] inline std::uint64_t MixSeed(std::uint64_t seed, std::uint64_t stream) {
  return Random(seed ^ (stream * 0xD1B54A32D192ED03ULL)).Next();
}

}  // namespace mock
