// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/completion_delta.h"

namespace rocm::wire {

std::string_view Path(Api api) {
  switch (api) {
    case Api::kNative: return "/completion";
    case Api::kCompletion: return "/v1/completions";
    case Api::kChat: return "/v1/chat/completions";
  }
  return "/completion";
}

std::string_view ToString(Api api) {
  switch (api) {
    case Api::kNative: return "native";
    case Api::kCompletion: return "completion";
    case Api::kChat: return "chat";
  }
  return "native";
}

std::string_view ToString(TokenSource source) {
  switch (source) {
    case TokenSource::kIds: return "ids";
    case TokenSource::kUsage: return "usage";
    case TokenSource::kTimings: return "timings";
    case TokenSource::kChunks: return "chunks";
    case TokenSource::kNone: return "none";
  }
  return "none";
}

void CompletionDelta::Clear() {
  text.clear();
  reasoning.clear();
  tool_call.clear();
  ids.clear();
  count = -1;
  top_logprobs.clear();
  finish_reason.reset();
  matched_stop.clear();
  usage.reset();
  timings.reset();
  truncated = false;
  end = false;
  error.reset();
}

}  // namespace rocm::wire
