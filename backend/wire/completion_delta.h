// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "backend/model.h"

namespace rocm::wire {

// The three ways of asking llama-server for text.
enum class Api {
  kNative,      // POST /completion
  kCompletion,  // POST /v1/completions
  kChat,        // POST /v1/chat/completions
};
[[nodiscard]] std::string_view Path(Api api);
[[nodiscard]] std::string_view ToString(Api api);  // "native", "completion", "chat"

// Where a request's token count came from, best first.
enum class TokenSource { kIds, kUsage, kTimings, kChunks, kNone };
[[nodiscard]] std::string_view ToString(TokenSource source);

// What one server-sent event says. Reused from event to event: Clear() keeps the capacity, so that
// a steady stream allocates nothing.
struct CompletionDelta {
  std::string text;
  std::string reasoning;
  // Name and arguments of tool calls, as they come (chat).
  std::string tool_call;
  // Ids the event carries; may be fewer than `count`.
  std::vector<std::int32_t> ids;
  // Tokens generated since the event before, where the server says (ids, tokens_predicted);
  // -1 where it does not (plain /v1/*).
  int count = -1;
  std::vector<TokenLogprob> top_logprobs;
  // Prompt progress, role only, empty or finish events carry no content.
  [[nodiscard]] bool has_content() const {
    return !text.empty() || !reasoning.empty() || !tool_call.empty();
  }
  std::optional<FinishReason> finish_reason;
  std::string matched_stop;
  std::optional<Usage> usage;
  std::optional<Timings> timings;
  bool truncated = false;
  // The stream is complete: `[DONE]`, or the native final event.
  bool end = false;
  // The server reported an error in mid-stream.
  std::optional<Error> error;

  void Clear();
};

}  // namespace rocm::wire
