// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backend/error.h"
#include "backend/gguf/metadata.h"
#include "backend/gguf/writer.h"

namespace rocm::gguf {

enum class TokeniserFamily { kGemma3, kLlama2, kMistral, kLlama3, kQwen2 };

// The shape of a real model, as its own GGUF file states it.
struct ModelShape {
  std::string_view name;          // "gemma3-1b"
  std::string_view architecture;  // "gemma3"
  std::string_view size_label;
  TokeniserFamily tokeniser = TokeniserFamily::kLlama2;
  std::uint32_t layers = 0;
  std::uint32_t width = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_width = 0;
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;
  std::uint32_t sliding_window = 0;  // 0: none
  float rope_base = 10000.0F;
  float norm_epsilon = 1e-5F;
};

[[nodiscard]] std::span<const ModelShape> ModelShapes();
// nullptr when there is none of that name.
[[nodiscard]] const ModelShape* FindModelShape(std::string_view name);

enum class WeightType { kQ4_0, kQ8_0, kF16 };
// "q4_0", "q8_0", "f16".
[[nodiscard]] std::optional<WeightType> ParseWeightType(std::string_view name);
[[nodiscard]] std::string_view ToString(WeightType type);

// What the name of such a model begins with; readers know it by that.
inline constexpr std::string_view kSyntheticName = "synthetic ";

// What the file will take.
[[nodiscard]] std::uint64_t SyntheticModelBytes(const ModelShape& shape, WeightType type);

// What ReadMetadata() will say of the file, but for its path: enough for an estimate before
// anything is written.
[[nodiscard]] Metadata SyntheticModelMetadata(const ModelShape& shape, WeightType type);

// Writes a model of random weights: the real shape, vocabulary size and tokeniser family, laid out
// as llama-quantize would; fresh random bytes throughout, the same for the same seed. It costs a
// server what the real model costs, and its answers mean nothing: send ignore_eos. Fails with kIo
// before writing where the disk has no room for it.
[[nodiscard]] Result<void> WriteSyntheticModel(const std::string& path, const ModelShape& shape,
                                               WeightType type, std::uint64_t seed = 1,
                                               const WriteProgress& progress = {});

}  // namespace rocm::gguf
