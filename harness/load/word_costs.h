// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "backend/http/endpoint.h"
#include "harness/base/random.h"

namespace harness {

// What a served model's tokeniser makes of ordinary words, so that prompts of an exact length can
// be written without asking for each one. A value; const members are thread-safe.
class WordCosts {
 public:
  // Asks /tokenize a few dozen times. kInternal where the tokens of words do not add up, which is
  // checked on whole texts, since exact lengths would then be a guess.
  [[nodiscard]] static rocm::Result<WordCosts> Measure(const rocm::http::Endpoint& endpoint,
                                                       std::stop_token stop);
  // For a server without /tokenize: one token a word, and no claim that this is exact.
  [[nodiscard]] static WordCosts Guess();
  // From given costs, one each for the words in Words(); for tests.
  [[nodiscard]] static WordCosts FromCosts(std::vector<int> costs, int bare);

  [[nodiscard]] bool exact() const { return exact_; }

  // Random words that are exactly `tokens` tokens, the tokens around them (BOS and `overhead`,
  // which the chat template costs) included. nullopt where that is too short to be made.
  [[nodiscard]] std::optional<std::string> Text(int tokens, int overhead, Random& random) const;
  // Without what stands around: for one message of a conversation.
  [[nodiscard]] std::optional<std::string> Content(int tokens, Random& random) const;

  // Random ids of `tokens` ordinary tokens, begin-of-text included where the model has one.
  [[nodiscard]] std::vector<std::int32_t> Ids(int tokens, Random& random) const;

  // What a chat template adds to one user message, in tokens.
  [[nodiscard]] rocm::Result<int> MeasureChatOverhead(const rocm::http::Endpoint& endpoint,
                                                      std::stop_token stop) const;

 private:
  [[nodiscard]] std::string Fill(std::string text, int tokens, Random& random) const;

  bool exact_ = false;
  int bare_ = 0;                     // tokens of the head alone, begin-of-text included
  int head_ = 0;                     // the same without begin-of-text
  std::vector<int> costs_;           // of " word", each
  std::vector<std::size_t> coin_;    // for each remainder: a word that leads to zero, or kNone
  std::vector<std::int32_t> ids_;    // ordinary tokens
  std::vector<std::int32_t> tails_;  // those that end a word
  std::optional<std::int32_t> bos_;
};

// The words that prompts are written with: common, lower-case, ASCII.
[[nodiscard]] const std::vector<std::string_view>& Words();

}  // namespace harness
