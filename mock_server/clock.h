// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <ctime>

namespace mock {

// Nanoseconds on CLOCK_MONOTONIC, so that a client on the same machine can hold its own stamps
// against the truth log.
using Ns = std::int64_t;

inline constexpr Ns kMicrosecond = 1'000;
inline constexpr Ns kMillisecond = 1'000'000;
inline constexpr Ns kSecond = 1'000'000'000;

// The one place of the mock that reads the monotonic clock.
[[nodiscard]] inline Ns Now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<Ns>(t.tv_sec) * kSecond + t.tv_nsec;
}

// Seconds since the epoch; labels only ("created").
[[nodiscard]] inline std::int64_t WallSeconds() {
  return static_cast<std::int64_t>(::time(nullptr));
}

[[nodiscard]] inline double ToMs(Ns t) { return static_cast<double>(t) / 1e6; }
[[nodiscard]] inline Ns FromMs(double ms) { return static_cast<Ns>(ms * 1e6); }

}  // namespace mock
