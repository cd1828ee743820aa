// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mock {

using TokenId = std::int32_t;
using Tokens = std::vector<TokenId>;

// The chain vocabulary: 1,400 tokens in which the next token is a fixed function of the last one,
// so that every answer can be checked exactly. docs/mock-server.md has the table.
inline constexpr TokenId kVocabularySize = 1400;
inline constexpr TokenId kUnknown = 0;
inline constexpr TokenId kBos = 1;
inline constexpr TokenId kEos = 2;
inline constexpr TokenId kFirstByte = 3;
inline constexpr TokenId kSpace = 259;
inline constexpr TokenId kStartOfTurn = 260;
inline constexpr TokenId kEndOfTurn = 261;
inline constexpr TokenId kFirstEnd = 262;   // " e0", then " e1", " e2"
inline constexpr TokenId kFirstWord = 265;  // " w000" …
inline constexpr TokenId kWords = 1135;

[[nodiscard]] constexpr TokenId ByteToken(unsigned char byte) { return kFirstByte + byte; }
[[nodiscard]] constexpr TokenId WordToken(int word) { return kFirstWord + word % kWords; }
[[nodiscard]] constexpr bool IsToken(std::int64_t id) { return id >= 0 && id < kVocabularySize; }
[[nodiscard]] constexpr bool IsEndOfGeneration(TokenId id) {
  return id == kEos || id == kEndOfTurn;
}

// The text of a token; control tokens give "" unless `special`.
[[nodiscard]] std::string Piece(TokenId id, bool special);
[[nodiscard]] std::string Detokenise(const Tokens& tokens, bool special);

// Bytes, with "▁" and " " as one token. `parse_special` recognises "<s>" and the like in the text.
[[nodiscard]] Tokens Tokenise(std::string_view text, bool add_special, bool parse_special);

// The token that follows.
[[nodiscard]] TokenId Successor(TokenId id);

// The candidate of the given rank after `id`: rank 0 is Successor(id), each other token has one
// rank below kVocabularySize.
[[nodiscard]] TokenId Candidate(TokenId id, int rank);
// Its log-probability, ≤ 0 and falling with the rank; a float, as llama-server computes it.
[[nodiscard]] float LogProbability(TokenId id, int rank);

}  // namespace mock
