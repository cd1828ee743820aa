// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/synthetic_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "backend/gguf/parser.h"
#include "backend/gguf/random.h"
#include "backend/gguf/random_weights.h"
#include "backend/gguf/vocabulary.h"

namespace rocm::gguf {
namespace {

using enum TokeniserFamily;

constexpr std::array<ModelShape, 9> kShapes = {{
    {.name = "gemma3-1b",
     .architecture = "gemma3",
     .size_label = "1B",
     .tokeniser = kGemma3,
     .layers = 26,
     .width = 1152,
     .feed_forward = 6912,
     .heads = 4,
     .kv_heads = 1,
     .head_width = 256,
     .vocabulary = 262144,
     .context = 32768,
     .sliding_window = 512,
     .rope_base = 1e6F,
     .norm_epsilon = 1e-6F},
    {.name = "gemma3-4b",
     .architecture = "gemma3",
     .size_label = "4B",
     .tokeniser = kGemma3,
     .layers = 34,
     .width = 2560,
     .feed_forward = 10240,
     .heads = 8,
     .kv_heads = 4,
     .head_width = 256,
     .vocabulary = 262208,
     .context = 131072,
     .sliding_window = 1024,
     .rope_base = 1e6F,
     .norm_epsilon = 1e-6F},
    {.name = "gemma3-12b",
     .architecture = "gemma3",
     .size_label = "12B",
     .tokeniser = kGemma3,
     .layers = 48,
     .width = 3840,
     .feed_forward = 15360,
     .heads = 16,
     .kv_heads = 8,
     .head_width = 256,
     .vocabulary = 262208,
     .context = 131072,
     .sliding_window = 1024,
     .rope_base = 1e6F,
     .norm_epsilon = 1e-6F},
    {.name = "gemma3-27b",
     .architecture = "gemma3",
     .size_label = "27B",
     .tokeniser = kGemma3,
     .layers = 62,
     .width = 5376,
     .feed_forward = 21504,
     .heads = 32,
     .kv_heads = 16,
     .head_width = 128,
     .vocabulary = 262208,
     .context = 131072,
     .sliding_window = 1024,
     .rope_base = 1e6F,
     .norm_epsilon = 1e-6F},
    {.name = "llama-2-7b",
     .architecture = "llama",
     .size_label = "7B",
     .tokeniser = kLlama2,
     .layers = 32,
     .width = 4096,
     .feed_forward = 11008,
     .heads = 32,
     .kv_heads = 32,
     .head_width = 128,
     .vocabulary = 32000,
     .context = 4096},
    {.name = "llama-3.1-8b",
     .architecture = "llama",
     .size_label = "8B",
     .tokeniser = kLlama3,
     .layers = 32,
     .width = 4096,
     .feed_forward = 14336,
     .heads = 32,
     .kv_heads = 8,
     .head_width = 128,
     .vocabulary = 128256,
     .context = 131072,
     .rope_base = 500000.0F},
    {.name = "mistral-7b",
     .architecture = "llama",
     .size_label = "7B",
     .tokeniser = kMistral,
     .layers = 32,
     .width = 4096,
     .feed_forward = 14336,
     .heads = 32,
     .kv_heads = 8,
     .head_width = 128,
     .vocabulary = 32768,
     .context = 32768,
     .rope_base = 1e6F},
    {.name = "qwen2.5-7b",
     .architecture = "qwen2",
     .size_label = "7B",
     .tokeniser = kQwen2,
     .layers = 28,
     .width = 3584,
     .feed_forward = 18944,
     .heads = 28,
     .kv_heads = 4,
     .head_width = 128,
     .vocabulary = 152064,
     .context = 32768,
     .rope_base = 1e6F,
     .norm_epsilon = 1e-6F},
    {.name = "qwen3-8b",
     .architecture = "qwen3",
     .size_label = "8B",
     .tokeniser = kQwen2,
     .layers = 36,
     .width = 4096,
     .feed_forward = 12288,
     .heads = 32,
     .kv_heads = 8,
     .head_width = 128,
     .vocabulary = 151936,
     .context = 40960,
     .rope_base = 1e6F,
     .norm_epsilon = 1e-6F},
}};

// Types that follow from llama-quantize's rules.
struct TypeRules {
  std::uint32_t file_type;  // general.file_type
  TensorType weights;
};

TypeRules RulesOf(WeightType type) {
  switch (type) {
    case WeightType::kQ4_0: return {2, TensorType::kQ4_0};
    case WeightType::kQ8_0: return {7, TensorType::kQ8_0};
    case WeightType::kF16: break;
  }
  return {1, TensorType::kF16};
}

// The matrix that makes the logits is kept finer than Q4_0, in blocks of 256 where rows allow.
TensorType LogitsType(WeightType type, std::uint32_t width) {
  if (type != WeightType::kQ4_0) return RulesOf(type).weights;
  return width % 256 == 0 ? TensorType::kQ6_K : TensorType::kQ8_0;
}

bool IsGemma(const ModelShape& shape) { return shape.architecture == "gemma3"; }

void AddHyperparameters(Writer& writer, const ModelShape& shape, WeightType type) {
  const auto key = [&](std::string_view name) {
    return fmt::format("{}.{}", shape.architecture, name);
  };
  writer.AddString("general.type", "model");
  writer.AddString("general.name", fmt::format("{}{}", kSyntheticName, shape.name));
  writer.AddString("general.size_label", shape.size_label);
  writer.AddUint32("general.file_type", RulesOf(type).file_type);
  writer.AddUint32("general.quantization_version", 2);
  writer.AddUint32(key("context_length"), shape.context);
  writer.AddUint32(key("embedding_length"), shape.width);
  writer.AddUint32(key("block_count"), shape.layers);
  writer.AddUint32(key("feed_forward_length"), shape.feed_forward);
  writer.AddUint32(key("attention.head_count"), shape.heads);
  writer.AddUint32(key("attention.head_count_kv"), shape.kv_heads);
  writer.AddFloat(key("attention.layer_norm_rms_epsilon"), shape.norm_epsilon);
  writer.AddFloat(key("rope.freq_base"), shape.rope_base);
  writer.AddUint32(key("attention.key_length"), shape.head_width);
  writer.AddUint32(key("attention.value_length"), shape.head_width);
  if (shape.architecture == "llama") {
    writer.AddUint32(key("vocab_size"), shape.vocabulary);
    writer.AddUint32(key("rope.dimension_count"), shape.head_width);
  }
  if (shape.sliding_window > 0) {
    writer.AddUint32(key("attention.sliding_window"), shape.sliding_window);
  }
  if (IsGemma(shape) && shape.context > 32768) {
    writer.AddString(key("rope.scaling.type"), "linear");
    writer.AddFloat(key("rope.scaling.factor"), 8.0F);
  }
}

void AddBlock(Writer& writer, const ModelShape& shape, TensorType type, std::uint32_t layer) {
  const auto add = [&](std::string_view part, std::vector<std::uint64_t> size) {
    const TensorType its = size.size() == 1 ? TensorType::kF32 : type;
    writer.AddTensor(fmt::format("blk.{}.{}", layer, part), std::move(size), its);
  };
  const std::uint64_t width = shape.width;
  const std::uint64_t q_width = std::uint64_t{shape.heads} * shape.head_width;
  const std::uint64_t kv_width = std::uint64_t{shape.kv_heads} * shape.head_width;
  add("attn_norm.weight", {width});
  add("attn_q.weight", {width, q_width});
  add("attn_k.weight", {width, kv_width});
  add("attn_v.weight", {width, kv_width});
  add("attn_output.weight", {q_width, width});
  if (shape.architecture == "qwen2") {
    add("attn_q.bias", {q_width});
    add("attn_k.bias", {kv_width});
    add("attn_v.bias", {kv_width});
  }
  if (shape.architecture == "qwen3" || IsGemma(shape)) {
    add("attn_q_norm.weight", {shape.head_width});
    add("attn_k_norm.weight", {shape.head_width});
  }
  if (IsGemma(shape)) {
    add("post_attention_norm.weight", {width});
    add("post_ffw_norm.weight", {width});
  }
  add("ffn_norm.weight", {width});
  add("ffn_gate.weight", {width, shape.feed_forward});
  add("ffn_up.weight", {width, shape.feed_forward});
  add("ffn_down.weight", {shape.feed_forward, width});
}

void AddTensors(Writer& writer, const ModelShape& shape, WeightType type) {
  const TensorType weights = RulesOf(type).weights;
  const TensorType logits = LogitsType(type, shape.width);
  const bool tied = IsGemma(shape);
  writer.AddTensor("token_embd.weight", {shape.width, shape.vocabulary}, tied ? logits : weights);
  if (shape.tokeniser == kLlama3) {
    writer.AddTensor("rope_freqs.weight", {shape.head_width / 2}, TensorType::kF32);
  }
  writer.AddTensor("output_norm.weight", {shape.width}, TensorType::kF32);
  if (!tied) writer.AddTensor("output.weight", {shape.width, shape.vocabulary}, logits);
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    AddBlock(writer, shape, weights, layer);
  }
}

// Llama 3.1 stretches the slow frequencies by 8, the fast ones not, and those between in part.
std::vector<float> Llama3Frequencies(const ModelShape& shape) {
  constexpr double kOldContext = 8192;
  constexpr double kFactor = 8;
  std::vector<float> factors(shape.head_width / 2);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double frequency =
        std::pow(double{shape.rope_base}, -2.0 * static_cast<double>(i) / shape.head_width);
    const double turns = kOldContext * frequency / 6.283185307179586;
    const double fast = std::min(1.0, std::max(0.0, (turns - 1.0) / (4.0 - 1.0)));
    factors[i] = static_cast<float>(1.0 / ((1.0 - fast) / kFactor + fast));
  }
  return factors;
}

std::vector<float> SmallTensor(const ModelShape& shape, const Writer::Tensor& tensor,
                               Random& random) {
  if (tensor.name == "rope_freqs.weight") return Llama3Frequencies(shape);
  std::vector<float> values(tensor.shape.front(), 1.0F);
  if (tensor.name.ends_with("norm.weight")) return values;
  for (float& value : values) value = static_cast<float>(0.02 * random.Normal());
  return values;
}

Writer Compose(const ModelShape& shape, WeightType type) {
  Writer writer(shape.architecture);
  AddHyperparameters(writer, shape, type);
  AddVocabulary(writer, shape.tokeniser, shape.vocabulary);
  AddTensors(writer, shape, type);
  return writer;
}

// A file whose tensors' data nobody reads.
class HeaderInput : public Input {
 public:
  explicit HeaderInput(const Writer& writer)
      : header_(writer.Header()), size_(writer.FileBytes()) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Result<void> Read(std::uint64_t offset, std::span<std::byte> out) const override {
    std::memset(out.data(), 0, out.size());
    if (offset < header_.size()) {
      std::memcpy(out.data(), header_.data() + offset,
                  std::min<std::uint64_t>(out.size(), header_.size() - offset));
    }
    return {};
  }

 private:
  std::string header_;
  std::uint64_t size_;
};

}  // namespace

std::span<const ModelShape> ModelShapes() { return kShapes; }

const ModelShape* FindModelShape(std::string_view name) {
  for (const ModelShape& shape : kShapes) {
    if (shape.name == name) return &shape;
  }
  return nullptr;
}

std::optional<WeightType> ParseWeightType(std::string_view name) {
  for (const WeightType type : {WeightType::kQ4_0, WeightType::kQ8_0, WeightType::kF16}) {
    if (ToString(type) == name) return type;
  }
  return std::nullopt;
}

std::string_view ToString(WeightType type) { return TraitsOf(RulesOf(type).weights).name; }

std::uint64_t SyntheticModelBytes(const ModelShape& shape, WeightType type) {
  return Compose(shape, type).FileBytes();
}

Metadata SyntheticModelMetadata(const ModelShape& shape, WeightType type) {
  Result<Metadata> metadata = ParseMetadata(HeaderInput(Compose(shape, type)));
  if (!metadata) std::abort();  // we composed it
  return *std::move(metadata);
}

Result<void> WriteSyntheticModel(const std::string& path, const ModelShape& shape, WeightType type,
                                 std::uint64_t seed, const WriteProgress& progress) {
  const Writer writer = Compose(shape, type);
  Random random(seed);
  const auto fill = [&](const Writer::Tensor& tensor, std::span<std::byte> piece) {
    if (tensor.type == TensorType::kF32) {
      const std::vector<float> values = SmallTensor(shape, tensor, random);
      std::memcpy(piece.data(), values.data(), piece.size());
      return;
    }
    // Keeps what a matrix makes of a normalised vector at unit variance. Embeddings are smaller, so
    // that a matrix that serves for the logits too does not answer with the last token for ever.
    double deviation = 1.0 / std::sqrt(static_cast<double>(tensor.shape.front()));
    if (tensor.name == "token_embd.weight") deviation /= 4;
    FillRandomWeights(tensor.type, deviation, random, piece);
  };
  return writer.Write(path, fill, progress);
}

}  // namespace rocm::gguf
