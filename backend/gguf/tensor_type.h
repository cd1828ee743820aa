// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rocm::gguf {

// How the elements of a tensor are stored, by GGUF's numbers. Only those that we write are named;
// TensorTypeTraits knows all.
enum class TensorType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ8_0 = 8,
  kQ6_K = 14,
};

// `block_elements` consecutive elements of a row take `block_bytes`.
struct TensorTypeTraits {
  std::string_view name;  // as llama.cpp prints it: "f32", "q4_K"
  int block_elements = 0;
  int block_bytes = 0;
};

// nullptr for a number that no tensor may carry, retired ones among them.
[[nodiscard]] const TensorTypeTraits* FindTraits(std::uint32_t type);
[[nodiscard]] inline const TensorTypeTraits& TraitsOf(TensorType type) {
  return *FindTraits(static_cast<std::uint32_t>(type));
}

// `general.file_type` as llama.cpp words it: 15 is "Q4_K - Medium". Empty when not known.
[[nodiscard]] std::string_view FileTypeName(std::uint32_t file_type);

// The file type whose usual tensors are of `type`: what llama.cpp guesses where the key is missing.
[[nodiscard]] std::optional<std::uint32_t> GuessFileType(std::uint32_t type);

}  // namespace rocm::gguf
