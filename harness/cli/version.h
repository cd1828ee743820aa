// SPDX-License-Identifier: EUPL-1.2
#pragma once

namespace harness {

inline constexpr char kToolVersion[] = ROCM_BENCH_VERSION;

}  // namespace harness
