// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/engine/generation.h"

#include <limits>

namespace mock {
namespace {

// Of a token that is no candidate by itself; a bias of 100 lifts it over the successor.
constexpr float kUnlikely = -70.0F;

}  // namespace

Generation::Generation(const GenerationParams& params, TokenId last_prompt_token, int prompt_tokens,
                       int context)
    : params_(params),
      text_(params.stop_strings),
      last_(last_prompt_token),
      prompt_tokens_(prompt_tokens),
      context_(context) {}

TokenId Generation::Next() const {
  if (params_.logit_bias.empty()) return Successor(last_);
  const auto bias_of = [this](TokenId id) {
    float sum = 0.0F;
    for (const auto& [token, bias] : params_.logit_bias) {
      if (token == id) sum += bias ? *bias : -std::numeric_limits<float>::infinity();
    }
    return sum;
  };
  TokenId best = Successor(last_);
  float best_score = bias_of(best);
  // Of the candidates only the first that is not banned can win without a bias of its own.
  for (int rank = 1; rank < kVocabularySize; ++rank) {
    const TokenId id = Candidate(last_, rank);
    const float score = LogProbability(last_, rank) + bias_of(id);
    if (score > best_score) {
      best = id;
      best_score = score;
    }
    if (best_score > -std::numeric_limits<float>::infinity() && bias_of(id) == 0.0F) break;
  }
  for (const auto& [token, bias] : params_.logit_bias) {
    const float score = kUnlikely + bias_of(token);
    if (score > best_score) {
      best = token;
      best_score = score;
    }
  }
  return best;
}

bool Generation::StepOne(TokenEvent& event) {
  GeneratedToken token;
  token.after = last_;
  token.id = Next();
  last_ = token.id;
  ++decoded_;
  TextAssembler::Step step = text_.Add(token.id);
  token.text = std::move(step.text);
  event.text += token.text;
  event.tokens.push_back(std::move(token));
  if (step.sends) {
    event.sends = true;
    event.shown = event.tokens.size();
  }
  if (step.stopped) {
    event.with_stop = true;
    stop_ = StopType::kWord;
  } else if (prompt_tokens_ + decoded_ >= context_) {
    stop_ = StopType::kLimit;
    truncated_ = true;
  } else if (params_.n_predict >= 0 && decoded_ >= params_.n_predict) {
    stop_ = StopType::kLimit;
  }
  if (IsEndOfGeneration(last_)) stop_ = StopType::kEosToken;
  return !finished();
}

TokenEvent Generation::Step(int tokens) {
  TokenEvent event;
  for (int i = 0; i < tokens && StepOne(event); ++i) {
  }
  event.decoded = decoded_;
  return event;
}

}  // namespace mock
