// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>

namespace rocm::gguf {

// Values of tokenizer.ggml.token_type (llama.cpp's llama_token_type).
inline constexpr std::int32_t kNormal = 1;
inline constexpr std::int32_t kUnknown = 2;
inline constexpr std::int32_t kControl = 3;
inline constexpr std::int32_t kUnused = 5;
inline constexpr std::int32_t kByte = 6;

}  // namespace rocm::gguf
