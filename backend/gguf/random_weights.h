// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/gguf/random.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {

// Fills whole blocks of `type` (F16, Q4_0, Q8_0 or Q6_K) with random weights of about the given
// standard deviation, all finite. Every block's weights are fresh: a pattern that repeats gives
// tied logits.
void FillRandomWeights(TensorType type, double deviation, Random& random,
                       std::span<std::byte> blocks);

// IEEE half precision, rounded to nearest; for the range of sane scales only.
[[nodiscard]] std::uint16_t ToHalf(double value);

}  // namespace rocm::gguf
