// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/random_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace rocm::gguf {
namespace {

// Standard deviations of the quantised values as the random bytes make them: uniform over 16
// steps, over 256, and over 64 times a scale that is uniform over 256.
constexpr double kDeviationQ4_0 = 4.610;
constexpr double kDeviationQ8_0 = 73.90;
constexpr double kDeviationQ6_K = 18.47 * 73.90;

// Each block's scale has a random sign: quantised values reach from -8 to 7, and a mean that is not
// zero adds up over a row until all tokens get the same answer.
template <std::size_t kBytes, std::size_t kScaleAt>
void FillBlocks(std::uint16_t scale, Random& random, std::span<std::byte> blocks) {
  random.Fill(blocks);
  for (std::size_t at = kScaleAt; at < blocks.size(); at += kBytes) {
    std::uint16_t signed_scale = 0;
    std::memcpy(&signed_scale, blocks.data() + at, sizeof(signed_scale));
    signed_scale = static_cast<std::uint16_t>((signed_scale & 0x8000) | scale);
    std::memcpy(blocks.data() + at, &signed_scale, sizeof(signed_scale));
  }
}

// Random sign and fraction under one exponent: magnitudes even in [1, 2) times a power of two,
// never an infinity.
void FillHalves(double deviation, Random& random, std::span<std::byte> out) {
  constexpr double kDeviationAtOne = 1.5275;
  const int exponent = 15 + static_cast<int>(std::lround(std::log2(deviation / kDeviationAtOne)));
  const std::uint64_t one = static_cast<std::uint64_t>(exponent) << 10;
  const std::uint64_t exponents = one | one << 16 | one << 32 | one << 48;
  std::size_t at = 0;
  for (; at + 8 <= out.size(); at += 8) {
    const std::uint64_t word = (random.Next() & 0x83ff83ff83ff83ffu) | exponents;
    std::memcpy(out.data() + at, &word, 8);
  }
  if (at < out.size()) {
    const std::uint64_t word = (random.Next() & 0x83ff83ff83ff83ffu) | exponents;
    std::memcpy(out.data() + at, &word, out.size() - at);
  }
}

}  // namespace

std::uint16_t ToHalf(double value) {
  const double magnitude = std::fabs(value);
  // Steps of the fraction's last bit: 2^-24 below the normal range, as Q6_K's scales often are.
  int exponent = 0;
  (void)std::frexp(magnitude, &exponent);  // magnitude in [0.5, 1) times two to the exponent
  const int last_bit = std::max(exponent - 11, -24);
  const long steps = std::lround(std::ldexp(magnitude, -last_bit));  // 2048 carries over by itself
  const long bits = last_bit == -24 ? steps : ((last_bit + 24) << 10) + steps;
  if (steps == 0 || bits >= 31 << 10) std::abort();
  return static_cast<std::uint16_t>((value < 0 ? 0x8000 : 0) | bits);
}

void FillRandomWeights(TensorType type, double deviation, Random& random,
                       std::span<std::byte> blocks) {
  switch (type) {
    case TensorType::kF16: return FillHalves(deviation, random, blocks);
    case TensorType::kQ4_0:
      return FillBlocks<18, 0>(ToHalf(deviation / kDeviationQ4_0), random, blocks);
    case TensorType::kQ8_0:
      return FillBlocks<34, 0>(ToHalf(deviation / kDeviationQ8_0), random, blocks);
    case TensorType::kQ6_K:
      return FillBlocks<210, 208>(ToHalf(deviation / kDeviationQ6_K), random, blocks);
    case TensorType::kF32: break;
  }
  std::abort();
}

}  // namespace rocm::gguf
