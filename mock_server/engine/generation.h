// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <vector>

#include "mock_server/api/generation_params.h"
#include "mock_server/text/assembler.h"
#include "mock_server/text/vocabulary.h"

namespace mock {

enum class StopType { kNone, kEosToken, kWord, kLimit };

struct GeneratedToken {
  TokenId id = 0;
  TokenId after = 0;  // the token that it follows, which its candidates depend on
  std::string text;   // what was released for sending with it
};

// What one or more decode steps give a client.
struct TokenEvent {
  std::vector<GeneratedToken> tokens;  // all that were decoded
  std::size_t shown = 0;               // how many of them a client may see: the rest is held back
  std::string text;
  bool sends = false;      // false: an incomplete character, so no event
  bool with_stop = false;  // ended by a stop string: such an event carries timings
  int decoded = 0;         // of the generation, so far
};

// The deterministic answer to one prompt, token by token. No clock: the scheduler says when.
class Generation {
 public:
  // `params` must outlive it. `context` is the most tokens that prompt and answer may have.
  Generation(const GenerationParams& params, TokenId last_prompt_token, int prompt_tokens,
             int context);

  // Decodes up to `tokens`, fewer when the answer ends.
  [[nodiscard]] TokenEvent Step(int tokens);

  [[nodiscard]] bool finished() const { return stop_ != StopType::kNone; }
  [[nodiscard]] StopType stop() const { return stop_; }
  [[nodiscard]] bool truncated() const { return truncated_; }
  [[nodiscard]] int decoded() const { return decoded_; }
  [[nodiscard]] const TextAssembler& text() const { return text_; }

 private:
  [[nodiscard]] TokenId Next() const;
  bool StepOne(TokenEvent& event);

  const GenerationParams& params_;
  TextAssembler text_;
  TokenId last_;
  int prompt_tokens_;
  int context_;
  int decoded_ = 0;
  StopType stop_ = StopType::kNone;
  bool truncated_ = false;
};

}  // namespace mock
