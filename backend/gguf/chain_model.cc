// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/chain_model.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <span>

#include "backend/gguf/random.h"
#include "backend/gguf/token_type.h"
#include "backend/gguf/writer.h"

namespace rocm::gguf {
namespace chain {
namespace {

constexpr std::int32_t kSpace = 259;
constexpr std::array<unsigned char, 10> kCharacters = {0xc3, 0xa9, 0xe2, 0x82, 0xac,
                                                       0xf0, 0x9f, 0x98, 0x80, 0xff};

}  // namespace

std::optional<std::int32_t> Successor(std::int32_t token) {
  if (token >= kFirstWord && token < kVocabSize) return WordToken(token - kFirstWord + 1);
  if (token == kFirstEnd || token == kFirstEnd + 1) return token + 1;
  if (token == kFirstEnd + 2) return kEos;
  if (token < kFirstByte || token >= kSpace) return std::nullopt;
  const int byte = token - kFirstByte;
  if (byte == '!') return kFirstEnd;
  if (byte == '?') return ByteToken(kCharacters.front());
  for (std::size_t i = 0; i < kCharacters.size(); ++i) {
    if (byte != kCharacters[i]) continue;
    return i + 1 < kCharacters.size() ? ByteToken(kCharacters[i + 1]) : kFirstEnd;
  }
  return WordToken(3 * byte);
}

std::string Piece(std::int32_t token) {
  if (token >= kFirstWord && token < kVocabSize) return fmt::format(" w{:03}", token - kFirstWord);
  if (token >= kFirstEnd && token < kFirstWord) return fmt::format(" e{}", token - kFirstEnd);
  if (token == kSpace) return " ";
  if (token >= kFirstByte && token < kSpace) {
    return std::string(1, static_cast<char>(token - kFirstByte));
  }
  return "";
}

std::vector<std::int32_t> Continuation(std::int32_t last, int count) {
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < count; ++i) {
    const std::optional<std::int32_t> next = Successor(last);
    if (!next) break;
    tokens.push_back(*next);
    if (*next == kEos) break;
    last = *next;
  }
  return tokens;
}

std::vector<std::int32_t> Tokenise(std::string_view text) {
  std::vector<std::int32_t> tokens = {kBos};
  for (const char c : text) {
    tokens.push_back(c == ' ' ? kSpace : ByteToken(static_cast<unsigned char>(c)));
  }
  return tokens;
}

std::string_view ChatTemplate() {
  return "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}";
}

}  // namespace chain

namespace {

constexpr int kWidth = 128;
constexpr int kLayers = 2;
constexpr int kHeads = 4;
constexpr int kKvHeads = 2;
constexpr int kFeedForward = 256;

void AddVocabulary(Writer& writer) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types = {kUnknown, kControl, kControl};
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(fmt::format("<0x{:02X}>", byte));
    types.push_back(kByte);
  }
  tokens.insert(tokens.end(), {"\u2581", "<start_of_turn>", "<end_of_turn>"});
  types.insert(types.end(), {kNormal, kControl, kControl});
  for (std::int32_t id = chain::kFirstEnd; id < chain::kVocabSize; ++id) {
    tokens.push_back("\u2581" + chain::Piece(id).substr(1));
    types.push_back(kNormal);
  }
  writer.AddString("tokenizer.ggml.model", "llama");
  writer.AddStrings("tokenizer.ggml.tokens", tokens);
  writer.AddFloats("tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0.0F));
  writer.AddInt32s("tokenizer.ggml.token_type", types);
  writer.AddUint32("tokenizer.ggml.bos_token_id", chain::kBos);
  writer.AddUint32("tokenizer.ggml.eos_token_id", chain::kEos);
  writer.AddUint32("tokenizer.ggml.unknown_token_id", 0);
  writer.AddBool("tokenizer.ggml.add_bos_token", true);
  writer.AddBool("tokenizer.ggml.add_eos_token", false);
  writer.AddBool("tokenizer.ggml.add_space_prefix", false);
  writer.AddString("tokenizer.chat_template", chain::ChatTemplate());
}

void AddHyperparameters(Writer& writer) {
  writer.AddString("general.name", "chain");
  writer.AddString("general.size_label", "0.7M");
  writer.AddUint32("general.file_type", 0);
  writer.AddUint32("llama.context_length", 65536);
  writer.AddUint32("llama.embedding_length", kWidth);
  writer.AddUint32("llama.block_count", kLayers);
  writer.AddUint32("llama.feed_forward_length", kFeedForward);
  writer.AddUint32("llama.attention.head_count", kHeads);
  writer.AddUint32("llama.attention.head_count_kv", kKvHeads);
  writer.AddFloat("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer.AddUint32("llama.rope.dimension_count", kWidth / kHeads);
}

void AddTensors(Writer& writer) {
  const auto add = [&](std::string_view name, std::vector<std::uint64_t> shape) {
    writer.AddTensor(name, std::move(shape), TensorType::kF32);
  };
  constexpr std::uint64_t kKvWidth = kWidth / kHeads * kKvHeads;
  add("token_embd.weight", {kWidth, chain::kVocabSize});
  add("output_norm.weight", {kWidth});
  add("output.weight", {kWidth, chain::kVocabSize});
  for (int layer = 0; layer < kLayers; ++layer) {
    const auto name = [&](std::string_view part) {
      return fmt::format("blk.{}.{}.weight", layer, part);
    };
    add(name("attn_norm"), {kWidth});
    add(name("attn_q"), {kWidth, kWidth});
    add(name("attn_k"), {kWidth, kKvWidth});
    add(name("attn_v"), {kWidth, kKvWidth});
    add(name("attn_output"), {kWidth, kWidth});
    add(name("ffn_norm"), {kWidth});
    add(name("ffn_gate"), {kWidth, kFeedForward});
    add(name("ffn_up"), {kWidth, kFeedForward});
    add(name("ffn_down"), {kFeedForward, kWidth});
  }
}

std::vector<float> Gaussian(std::size_t count, double deviation, Random& random) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(deviation * random.Normal());
  return values;
}

// Row of t: the embeddings of all that t follows. A last token x then scores 5·√width on its
// successor and noise of deviation 5 on each other token: 56 against some 20.
std::vector<float> OutputRows(std::span<const float> embedding) {
  const auto scale = static_cast<float>(5.0 / std::sqrt(double{kWidth}));
  std::vector<float> rows(embedding.size());
  for (std::int32_t token = 0; token < chain::kVocabSize; ++token) {
    const std::optional<std::int32_t> next = chain::Successor(token);
    if (!next) continue;
    for (int i = 0; i < kWidth; ++i) {
      rows[static_cast<std::size_t>(*next * kWidth + i)] +=
          scale * embedding[static_cast<std::size_t>(token * kWidth + i)];
    }
  }
  return rows;
}

}  // namespace

Result<void> WriteChainModel(const std::string& path, std::uint64_t seed) {
  Writer writer("llama");
  AddHyperparameters(writer);
  AddVocabulary(writer);
  AddTensors(writer);

  Random random(seed);
  const std::vector<float> embedding =
      Gaussian(std::size_t{chain::kVocabSize} * kWidth, 1.0, random);
  const std::vector<float> output = OutputRows(embedding);
  return writer.Write(path, [&](const Writer::Tensor& tensor, std::span<std::byte> piece) {
    std::vector<float> values;
    if (tensor.name == "token_embd.weight") {
      values = embedding;
    } else if (tensor.name == "output.weight") {
      values = output;
    } else if (tensor.name.find("norm") != std::string::npos) {
      values.assign(piece.size() / sizeof(float), 1.0F);
    } else {
      // Small, so that the residual stream stays the last token's own embedding.
      values = Gaussian(piece.size() / sizeof(float), 0.02, random);
    }
    std::memcpy(piece.data(), values.data(), piece.size());
  });
}

}  // namespace rocm::gguf
