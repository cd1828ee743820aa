// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/vocabulary.h"
#include "backend/gguf/token_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocm::gguf {
namespace {

constexpr std::uint32_t kPairs = 26 * 26;

std::string Pair(std::uint32_t i) {
  return {static_cast<char>('a' + i / 26), static_cast<char>('a' + i % 26)};
}

struct Tokens {
  std::vector<std::string> texts;
  std::vector<std::int32_t> types;
  std::vector<float> scores;  // SPM: the higher, the earlier two pieces are joined

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(texts.size()); }
  void Add(std::string text, std::int32_t type) {
    scores.push_back(type == kNormal ? -static_cast<float>(texts.size()) : 0.0F);
    texts.push_back(std::move(text));
    types.push_back(type);
  }
  void FillUnused(std::uint32_t end, std::string_view form) {
    while (size() < end) Add(fmt::format(fmt::runtime(form), size()), kUnused);
  }
};

void AddBytes(Tokens& tokens) {
  for (int byte = 0; byte < 256; ++byte) tokens.Add(fmt::format("<0x{:02X}>", byte), kByte);
}

// Letters and signs, pairs of letters, then words of two pairs, each with and without the space
// before it, until there are `size`.
void AddPieces(Tokens& tokens, std::uint32_t size) {
  const std::string space = "\u2581";
  tokens.Add(space, kNormal);
  for (char c = '!'; c <= '~'; ++c) tokens.Add(std::string(1, c), kNormal);
  for (std::uint32_t i = 0; i < kPairs; ++i) tokens.Add(Pair(i), kNormal);
  for (std::uint32_t i = 0; i < kPairs; ++i) tokens.Add(space + Pair(i), kNormal);
  for (std::uint32_t i = 0; i < kPairs * kPairs && tokens.size() < size; ++i) {
    const std::string word = Pair(i % kPairs) + Pair(i / kPairs);
    tokens.Add(space + word, kNormal);
    if (tokens.size() < size) tokens.Add(word, kNormal);
  }
}

void Put(Writer& writer, std::string_view model, const Tokens& tokens) {
  writer.AddString("tokenizer.ggml.model", model);
  writer.AddStrings("tokenizer.ggml.tokens", tokens.texts);
  writer.AddInt32s("tokenizer.ggml.token_type", tokens.types);
}

void AddLlama2(Writer& writer, std::uint32_t size) {
  Tokens tokens;
  tokens.Add("<unk>", kUnknown);
  tokens.Add("<s>", kControl);
  tokens.Add("</s>", kControl);
  AddBytes(tokens);
  AddPieces(tokens, size);
  Put(writer, "llama", tokens);
  writer.AddFloats("tokenizer.ggml.scores", tokens.scores);
  writer.AddUint32("tokenizer.ggml.bos_token_id", 1);
  writer.AddUint32("tokenizer.ggml.eos_token_id", 2);
  writer.AddUint32("tokenizer.ggml.unknown_token_id", 0);
  writer.AddBool("tokenizer.ggml.add_bos_token", true);
  writer.AddBool("tokenizer.ggml.add_eos_token", false);
  writer.AddString("tokenizer.chat_template",
                   "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
                   " {{ m['content'] }}</s>{% else %}[INST] {{ m['content'] }} [/INST]{% endif %}"
                   "{% endfor %}");
}

void AddGemma3(Writer& writer, std::uint32_t size) {
  Tokens tokens;
  for (const char* text : {"<pad>", "<eos>", "<bos>"}) tokens.Add(text, kControl);
  tokens.Add("<unk>", kUnknown);
  tokens.FillUnused(105, "<unused{}>");
  tokens.Add("<start_of_turn>", kControl);
  tokens.Add("<end_of_turn>", kControl);
  AddBytes(tokens);
  AddPieces(tokens, size);
  Put(writer, "llama", tokens);
  writer.AddFloats("tokenizer.ggml.scores", tokens.scores);
  writer.AddUint32("tokenizer.ggml.bos_token_id", 2);
  writer.AddUint32("tokenizer.ggml.eos_token_id", 1);
  writer.AddUint32("tokenizer.ggml.unknown_token_id", 3);
  writer.AddUint32("tokenizer.ggml.padding_token_id", 0);
  writer.AddBool("tokenizer.ggml.add_bos_token", true);
  writer.AddBool("tokenizer.ggml.add_eos_token", false);
  writer.AddBool("tokenizer.ggml.add_space_prefix", false);
  writer.AddString("tokenizer.chat_template",
                   "{{ bos_token }}{% for m in messages %}<start_of_turn>"
                   "{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] }}"
                   "<end_of_turn>\n{% endfor %}"
                   "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}");
}

// Byte-level BPE writes each byte as a printable character: itself, or one from U+0100 on.
std::vector<std::string> ByteCharacters() {
  const auto utf8 = [](int code) {
    std::string text;
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else {
      text += static_cast<char>(0xc0 | (code >> 6));
      text += static_cast<char>(0x80 | (code & 0x3f));
    }
    return text;
  };
  const auto printable = [](int byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  };
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) {
    if (printable(byte)) texts.push_back(utf8(byte));
  }
  for (int byte = 0, next = 0x100; byte < 256; ++byte) {
    if (!printable(byte)) texts.push_back(utf8(next++));
  }
  return texts;
}

// The regular tokens of a byte-level BPE: bytes, then what each merge makes, in the merges' order.
std::vector<std::string> AddMerged(Tokens& tokens, std::uint32_t size) {
  const std::string space = "\u0120";
  std::vector<std::string> merges;
  const auto merge = [&](const std::string& left, const std::string& right) {
    if (tokens.size() == size) return;
    merges.push_back(left + " " + right);
    tokens.Add(left + right, kNormal);
  };
  for (std::string& text : ByteCharacters()) tokens.Add(std::move(text), kNormal);
  for (std::uint32_t i = 0; i < kPairs; ++i) merge(Pair(i).substr(0, 1), Pair(i).substr(1));
  for (std::uint32_t i = 0; i < kPairs; ++i) merge(space, Pair(i));
  for (std::uint32_t i = 0; i < kPairs * kPairs && tokens.size() < size; ++i) {
    merge(space + Pair(i % kPairs), Pair(i / kPairs));
    merge(Pair(i % kPairs), Pair(i / kPairs));
  }
  return merges;
}

void AddLlama3(Writer& writer, std::uint32_t size) {
  const std::uint32_t first_special = size - 256;  // 128,000 of 128,256
  Tokens tokens;
  const std::vector<std::string> merges = AddMerged(tokens, first_special);
  tokens.Add("<|begin_of_text|>", kControl);
  tokens.Add("<|end_of_text|>", kControl);
  for (int i = 0; i < 4; ++i) tokens.Add(fmt::format("<|reserved_special_token_{}|>", i), kControl);
  tokens.Add("<|start_header_id|>", kControl);
  tokens.Add("<|end_header_id|>", kControl);
  tokens.Add("<|eom_id|>", kControl);
  tokens.Add("<|eot_id|>", kControl);
  while (tokens.size() < size) {
    const std::uint32_t number = tokens.size() - first_special - 5;
    tokens.Add(fmt::format("<|reserved_special_token_{}|>", number), kControl);
  }
  Put(writer, "gpt2", tokens);
  writer.AddString("tokenizer.ggml.pre", "llama-bpe");
  writer.AddStrings("tokenizer.ggml.merges", merges);
  writer.AddUint32("tokenizer.ggml.bos_token_id", first_special);
  writer.AddUint32("tokenizer.ggml.eos_token_id", first_special + 9);
  writer.AddBool("tokenizer.ggml.add_bos_token", true);
  writer.AddString("tokenizer.chat_template",
                   "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}"
                   "<|end_header_id|>\n\n{{ m['content'] }}<|eot_id|>{% endfor %}"
                   "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>"
                   "\n\n{% endif %}");
}

void AddQwen2(Writer& writer, std::uint32_t size) {
  // The real ones are padded to rounder numbers behind their special tokens.
  const std::uint32_t first_special = std::min<std::uint32_t>(151643, size - 3);
  Tokens tokens;
  const std::vector<std::string> merges = AddMerged(tokens, first_special);
  for (const char* text : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    tokens.Add(text, kControl);
  }
  tokens.FillUnused(size, "[PAD{}]");
  Put(writer, "gpt2", tokens);
  writer.AddString("tokenizer.ggml.pre", "qwen2");
  writer.AddStrings("tokenizer.ggml.merges", merges);
  writer.AddUint32("tokenizer.ggml.bos_token_id", first_special);
  writer.AddUint32("tokenizer.ggml.eos_token_id", first_special + 2);
  writer.AddUint32("tokenizer.ggml.padding_token_id", first_special);
  writer.AddBool("tokenizer.ggml.add_bos_token", false);
  writer.AddString("tokenizer.chat_template",
                   "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
                   "<|im_end|>\n{% endfor %}"
                   "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
}

}  // namespace

void AddVocabulary(Writer& writer, TokeniserFamily family, std::uint32_t size) {
  switch (family) {
    case TokeniserFamily::kGemma3: return AddGemma3(writer, size);
    case TokeniserFamily::kLlama2:
    case TokeniserFamily::kMistral: return AddLlama2(writer, size);
    case TokeniserFamily::kLlama3: return AddLlama3(writer, size);
    case TokeniserFamily::kQwen2: return AddQwen2(writer, size);
  }
  std::abort();
}

}  // namespace rocm::gguf
