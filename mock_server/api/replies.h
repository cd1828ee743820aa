// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mock_server/api/generation_params.h"
#include "mock_server/engine/scheduler.h"
#include "mock_server/json.h"

namespace mock {

// What all events of one answer share.
struct ReplyContext {
  Api api = Api::kNative;
  std::string id;            // "chatcmpl-…"
  std::string model;         // alias
  std::string build;         // "b11669-Debian"
  std::string prefill;       // text of the assistant message that a chat continues
  int reasoning_tokens = 0;  // so many go to "reasoning_content" first (chat only)
};

// The functions below write in the order of keys that llama-server uses; events are whole
// "data: …\n\n" texts, of which a chat may get two at once, or none.
[[nodiscard]] std::string PartialEvent(const ReplyContext& context, const Task& task,
                                       const TokenEvent& event, std::int64_t created);
[[nodiscard]] std::string RoleEvent(const ReplyContext& context, int index, std::int64_t created);
[[nodiscard]] std::string ProgressEvent(const ReplyContext& context, const Task& task,
                                        int processed, Ns scheduled, std::int64_t created);
// The finish event; for a chat with include_usage also the one with the usage.
[[nodiscard]] std::string FinalEvent(const ReplyContext& context, const Task& task,
                                     std::int64_t created);
[[nodiscard]] bool EndsWithDone(Api api);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

[[nodiscard]] std::string SseEvent(std::string_view data);

// A finished choice of an answer that is not streamed.
struct FinishedChoice {
  std::shared_ptr<Task> task;
  std::vector<GeneratedToken> tokens;
  std::vector<GeneratedToken> shown;  // what has probabilities
};
// `list`: several prompts or choices were asked for, which the native API answers with an array.
[[nodiscard]] std::string WholeAnswer(const ReplyContext& context,
                                      const std::vector<FinishedChoice>& choices, bool list,
                                      std::int64_t created);

[[nodiscard]] Json TimingsJson(const Timings& timings);
[[nodiscard]] const char* FinishReason(const Task& task);

}  // namespace mock
