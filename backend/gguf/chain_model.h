// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"

namespace rocm::gguf {

// The chain model: a real llama-architecture model of 2.6 MB whose next token is a fixed function
// of the last one, at any temperature and on any device. It makes text, ids, counts, stops and the
// end of generation assertable exactly against a real llama-server.
//
// Vocabulary (SPM, 1,400 tokens, BOS added, no space prefix, context 65,536):
//   0 <unk>, 1 <s>, 2 </s> (EOS), 3–258 the bytes 00–FF, 259 ▁, 260 <start_of_turn>,
//   261 <end_of_turn>, 262–264 " e0" " e1" " e2", 265… " w000" … " w1134".
// Successors: w(i) → w(i+1 mod 1135); byte b → w(3b mod 1135); except
//   "!" → e0 → e1 → e2 → EOS, and "?" → C3 A9 E2 82 AC F0 9F 98 80 FF (é, €, 😀 and an invalid
//   byte), each to the next, then e0 e1 e2 EOS.
// All others (what follows a space, or an empty prompt) have no defined successor.
namespace chain {

inline constexpr int kVocabSize = 1400;
inline constexpr int kWords = 1135;
inline constexpr std::int32_t kBos = 1;
inline constexpr std::int32_t kEos = 2;
inline constexpr std::int32_t kFirstByte = 3;
inline constexpr std::int32_t kFirstEnd = 262;   // " e0"
inline constexpr std::int32_t kFirstWord = 265;  // " w000"

[[nodiscard]] constexpr std::int32_t ByteToken(unsigned char byte) { return kFirstByte + byte; }
[[nodiscard]] constexpr std::int32_t WordToken(int word) { return kFirstWord + word % kWords; }

// What follows `token`; nullopt where nothing is defined.
[[nodiscard]] std::optional<std::int32_t> Successor(std::int32_t token);

// The bytes that a token stands for in the output: empty for control tokens.
[[nodiscard]] std::string Piece(std::int32_t token);

// The tokens generated after `last`, at most `count`, EOS included where it comes.
[[nodiscard]] std::vector<std::int32_t> Continuation(std::int32_t last, int count);

// What tokenising `text` gives, BOS first: one token a byte.
[[nodiscard]] std::vector<std::int32_t> Tokenise(std::string_view text);

[[nodiscard]] std::string_view ChatTemplate();

}  // namespace chain

[[nodiscard]] Result<void> WriteChainModel(const std::string& path, std::uint64_t seed = 1);

}  // namespace rocm::gguf
