// SPDX-License-Identifier: EUPL-1.2
#include "harness/base/random.h"

#include <bit>
#include <cmath>
#include <cstdlib>

namespace harness {
namespace {

constexpr double kLn2High = 0x1.62e42fefa38p-1;  // its low bits are zero: k * kLn2High is exact
constexpr double kLn2Low = 0x1.ef35793c7673p-45;

std::uint64_t SplitMix64(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

// The C library's log and exp differ in the last bit from one to the next; these do not.
double Log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0x1.6a09e667f3bcdp-1) {  // sqrt(1/2): keeps |s| below 0.172
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1);
  const double s2 = s * s;
  double sum = 0;
  for (int k = 23; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
  return exponent * kLn2High + (exponent * kLn2Low + 2 * s * sum);
}

double Exp(double x) {
  if (x < -745) return 0;
  if (x > 709) x = 709;
  const double k = std::nearbyint(x / (kLn2High + kLn2Low));
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1;
  for (int i = 16; i >= 1; --i) sum = 1 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(k));
}

void Check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

Random::Random(std::uint64_t seed) : seed_(seed), state_{} {
  std::uint64_t mix = seed;
  for (auto& word : state_) word = SplitMix64(mix);
}

Random Random::Fork(std::string_view purpose) const {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : purpose) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  std::uint64_t mix = seed_ ^ hash;
  return Random(SplitMix64(mix));
}

std::uint64_t Random::Next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::Uniform() { return static_cast<double>(Next() >> 11U) * 0x1p-53; }

double Random::Uniform(double low, double high) { return low + (high - low) * Uniform(); }

std::int64_t Random::UniformInt(std::int64_t low, std::int64_t high) {
  Check(low <= high);
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  if (range == UINT64_MAX) return static_cast<std::int64_t>(Next());
  // Draws from the unfinished last turn are thrown away: they would favour small values. That turn
  // is shorter than `count`, so most draws need no second division to see that they are not in it.
  const std::uint64_t count = range + 1;
  std::uint64_t draw = Next();
  while (draw > UINT64_MAX - count && draw > UINT64_MAX - (UINT64_MAX % count + 1) % count) {
    draw = Next();
  }
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + draw % count);
}

bool Random::Bernoulli(double probability) { return Uniform() < probability; }

double Random::Exponential(double mean) {
  Check(mean > 0);
  return -mean * Log(1.0 - Uniform());
}

// Marsaglia's polar method. The second value is dropped, so that a copy made between two calls
// continues exactly like the original.
double Random::StandardNormal() {
  for (;;) {
    const double u = Uniform(-1, 1);
    const double v = Uniform(-1, 1);
    const double s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * Log(s) / s);
  }
}

double Random::Normal(double mean, double standard_deviation) {
  return mean + standard_deviation * StandardNormal();
}

double Random::LogNormal(double median, double sigma) {
  Check(median > 0);
  return median * Exp(sigma * StandardNormal());
}

// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
double Random::Gamma(double shape, double scale) {
  Check(shape > 0 && scale > 0);
  if (shape < 1) {
    const double boost = Exp(Log(1.0 - Uniform()) / shape);
    return Gamma(shape + 1, scale) * boost;
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = StandardNormal();
    const double t = 1.0 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t;
    if (Log(1.0 - Uniform()) < 0.5 * x * x + d - d * v + d * Log(v)) return d * v * scale;
  }
}

}  // namespace harness
