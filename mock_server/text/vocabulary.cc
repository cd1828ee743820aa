// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/text/vocabulary.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace mock {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // ▁

constexpr std::array<std::pair<std::string_view, TokenId>, 5> kSpecials{
    {{"<unk>", kUnknown},
     {"<s>", kBos},
     {"</s>", kEos},
     {"<start_of_turn>", kStartOfTurn},
     {"<end_of_turn>", kEndOfTurn}}};

// What "?" leads to: é € 😀 and a byte that is never valid UTF-8.
constexpr std::array<unsigned char, 11> kCharacters{'?',  0xC3, 0xA9, 0xE2, 0x82, 0xAC,
                                                    0xF0, 0x9F, 0x98, 0x80, 0xFF};

// Where the recorded server's runner-up is known (its captures are replayed byte for byte).
struct RunnerUp {
  TokenId after;
  TokenId id;
  float log_probability;
};
constexpr std::array<RunnerUp, 3> kRunnersUp{{{ByteToken('o'), 394, -48.22846221923828F},
                                              {598, 391, -37.583282470703125F},
                                              {264, 715, -40.0F}}};

const RunnerUp* KnownRunnerUp(TokenId id) {
  for (const RunnerUp& known : kRunnersUp) {
    if (known.after == id) return &known;
  }
  return nullptr;
}

// Any fixed spread does; this one is a multiplicative hash.
TokenId Scatter(TokenId id) {
  const auto mixed = static_cast<std::uint32_t>(id + 1) * 2'654'435'761U;
  return WordToken(static_cast<int>((mixed >> 8) % kWords));
}

std::array<TokenId, kVocabularySize> MakeSuccessors() {
  std::array<TokenId, kVocabularySize> next{};
  for (TokenId id = 0; id < kVocabularySize; ++id) next[static_cast<std::size_t>(id)] = Scatter(id);
  const auto set = [&next](TokenId from, TokenId to) { next[static_cast<std::size_t>(from)] = to; };
  for (int word = 0; word < kWords; ++word) set(WordToken(word), WordToken(word + 1));
  for (int byte = 0; byte < 256; ++byte) {
    set(ByteToken(static_cast<unsigned char>(byte)), WordToken(3 * byte));
  }
  set(ByteToken('!'), kFirstEnd);
  for (std::size_t i = 0; i + 1 < kCharacters.size(); ++i) {
    set(ByteToken(kCharacters[i]), ByteToken(kCharacters[i + 1]));
  }
  set(ByteToken(kCharacters.back()), kFirstEnd);
  set(kFirstEnd, kFirstEnd + 1);
  set(kFirstEnd + 1, kFirstEnd + 2);
  set(kFirstEnd + 2, kEos);
  set(kBos, 913);  // as the recorded server
  return next;
}

}  // namespace

std::string Piece(TokenId id, bool special) {
  if (id >= kFirstWord) return fmt::format(" w{:03}", id - kFirstWord);
  if (id >= kFirstEnd) return fmt::format(" e{}", id - kFirstEnd);
  if (id == kSpace) return " ";
  if (id >= kFirstByte && id < kSpace) return std::string(1, static_cast<char>(id - kFirstByte));
  if (!special) return {};
  for (const auto& [text, token] : kSpecials) {
    if (token == id) return std::string(text);
  }
  return {};
}

std::string Detokenise(const Tokens& tokens, bool special) {
  std::string text;
  for (const TokenId id : tokens) text += Piece(id, special);
  return text;
}

Tokens Tokenise(std::string_view text, bool add_special, bool parse_special) {
  Tokens tokens;
  tokens.reserve(text.size() + 1);
  if (add_special) tokens.push_back(kBos);
  while (!text.empty()) {
    std::size_t used = 0;
    if (parse_special && text.front() == '<') {
      for (const auto& [name, token] : kSpecials) {
        if (text.starts_with(name)) {
          tokens.push_back(token);
          used = name.size();
          break;
        }
      }
    }
    if (used == 0 && text.front() == ' ') {
      tokens.push_back(kSpace);
      used = 1;
    } else if (used == 0 && text.starts_with(kSpaceMark)) {
      tokens.push_back(kSpace);
      used = kSpaceMark.size();
    } else if (used == 0) {
      tokens.push_back(ByteToken(static_cast<unsigned char>(text.front())));
      used = 1;
    }
    text.remove_prefix(used);
  }
  return tokens;
}

TokenId Successor(TokenId id) {
  static const std::array<TokenId, kVocabularySize> next = MakeSuccessors();
  return next[static_cast<std::size_t>(id)];
}

TokenId Candidate(TokenId id, int rank) {
  const TokenId successor = Successor(id);
  if (rank == 0) return successor;
  const RunnerUp* known = KnownRunnerUp(id);
  const TokenId first = known != nullptr ? known->id : Scatter(successor + id);
  // A walk over the ring of all tokens from the runner-up on that leaves the successor out.
  const TokenId candidate = (first + rank - 1) % kVocabularySize;
  const TokenId distance = (successor - first + kVocabularySize) % kVocabularySize;
  return rank - 1 >= distance ? (candidate + 1) % kVocabularySize : candidate;
}

float LogProbability(TokenId id, int rank) {
  if (rank == 0) return 0.0F;
  const RunnerUp* known = KnownRunnerUp(id);
  const float first =
      known != nullptr ? known->log_probability : -40.0F - static_cast<float>(id % 97) / 10.0F;
  return first - 0.05F * static_cast<float>(rank - 1);
}

}  // namespace mock
