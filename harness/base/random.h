// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace harness {

// A seeded source of random numbers: xoshiro256**, its state filled by SplitMix64. The same seed
// gives the same values on every platform, compiler and library: the distributions are ours and use
// only IEEE additions, multiplications, divisions and square roots, rounded one by one.
// A value type; not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  // A stream of its own for one purpose ("arrivals", "prompts"): drawing more from the one never
  // shifts the other. Does not advance this one.
  [[nodiscard]] Random Fork(std::string_view purpose) const;

  std::uint64_t Next();
  // In [0, 1), 53 bits.
  double Uniform();
  // In [low, high).
  double Uniform(double low, double high);
  // In [low, high], without bias. low <= high.
  std::int64_t UniformInt(std::int64_t low, std::int64_t high);
  bool Bernoulli(double probability);
  // mean > 0.
  double Exponential(double mean);
  double Normal(double mean, double standard_deviation);
  // exp(Normal(log(median), sigma)); median > 0.
  double LogNormal(double median, double sigma);
  // Mean shape x scale; both > 0. Shape 1 is the exponential; below 1 arrivals come in bursts.
  double Gamma(double shape, double scale);

  template <typename T>
  void Shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      const auto last = static_cast<std::int64_t>(i - 1);
      std::swap(items[i - 1], items[static_cast<std::size_t>(UniformInt(0, last))]);
    }
  }

 private:
  double StandardNormal();

  std::uint64_t seed_;
  std::array<std::uint64_t, 4> state_;
};

}  // namespace harness
