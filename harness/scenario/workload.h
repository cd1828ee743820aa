// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backend/config.h"
#include "harness/scenario/lengths.h"

namespace harness {

// Which of the server's three ways of asking is used. kCompletion and kChat also work with servers
// other than llama-server.
enum class WorkloadApi { kNative, kCompletion, kChat };
[[nodiscard]] std::string_view ToString(WorkloadApi api);

// The texts, in turn.
struct TextPrompts {
  std::vector<std::string> texts;
  friend bool operator==(const TextPrompts&, const TextPrompts&) = default;
};
// One conversation, sent as it is.
struct MessagesPrompt {
  std::vector<rocm::Message> messages;
};
// Seeded tokens, different in every request, of an exact length in the server's own tokens.
// `depth` tokens stand before them and are already in the slot's cache when the request is timed.
struct SyntheticPrompt {
  Length tokens = FixedLength{};
  int depth = 0;
  friend bool operator==(const SyntheticPrompt&, const SyntheticPrompt&) = default;
};
// Conversations of `turns` requests: each sends all that was said before, answers included, and
// `user_tokens` new ones.
struct ConversationPrompt {
  int turns = 2;
  Length user_tokens = FixedLength{};
  friend bool operator==(const ConversationPrompt&, const ConversationPrompt&) = default;
};
using Prompt = std::variant<TextPrompts, MessagesPrompt, SyntheticPrompt, ConversationPrompt>;

struct Workload {
  WorkloadApi api = WorkloadApi::kNative;
  Prompt prompt = TextPrompts{};
  Length output_tokens = FixedLength{};
  // True: generation goes on past an end-of-text token, so that the length is exactly
  // `output_tokens`; a mismatch is counted. False: `output_tokens` is the limit.
  bool exact_output = true;
  // Of prompts, lengths and order; the same seed gives the same requests.
  std::uint64_t seed = 0;
  // Only where caching is the subject. Otherwise a request that hit the cache is a mismatch.
  bool cache_prompt = false;
  double temperature = 0;
  std::chrono::milliseconds deadline{600'000};       // of one request
  std::chrono::milliseconds stall_timeout{300'000};  // between two bytes
};

}  // namespace harness
