// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>

namespace harness {

// A millisecond in the unit of records; for tests.
inline constexpr std::int64_t kMs = 1'000'000;

}  // namespace harness
