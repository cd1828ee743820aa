// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/completion_decoder.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "backend/wire/error_reply.h"
#include "backend/wire/event_fields.h"
#include "backend/wire/json.h"
#include "backend/wire/quick_event.h"

namespace rocm::wire {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// `data:` with nothing in it is some servers' ping.
bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

int ToInt(std::int64_t n) {
  return static_cast<int>(std::clamp<std::int64_t>(n, 0, std::numeric_limits<int>::max()));
}

}  // namespace

void CompletionDecoder::Fail(CompletionDelta& delta, Error error) {
  failed_ = true;
  delta.error = std::move(error);
}

void CompletionDecoder::Decode(const SseEvent& event, CompletionDelta& delta) {
  delta.Clear();
  if (ended_ || failed_) return;
  ++events_;
  if (!event.error.empty()) return Fail(delta, ErrorFromEvent(event.error));
  if (event.type == "error") return Fail(delta, ErrorFromEvent(event.data));
  if (event.data == "[DONE]") {
    if (!finished_) {
      return Fail(delta, MakeError(ErrorCode::kTruncated,
                                   "the stream said [DONE] without a finish reason"));
    }
    delta.count = 0;
    delta.end = ended_ = true;
    return;
  }
  if (IsBlank(event.data)) {
    delta.count = 0;
    return;
  }
  EventFields fields;
  const bool quick = api_ == Api::kNative ? ReadQuickNative(event.data, delta, fields)
                                          : ReadQuickOpenAi(event.data, delta, fields);
  if (quick || Parse(event.data, delta, fields)) Interpret(event.data, delta, fields);
}

bool CompletionDecoder::Parse(std::string_view data, CompletionDelta& delta, EventFields& fields) {
  delta.Clear();
  fields = EventFields{};
  element root;
  object event;
  const auto error = ParseJson(data, root);
  if (error != simdjson::SUCCESS) {
    Fail(delta, MakeError(ErrorCode::kProtocol, "an event is not valid JSON (" +
                                                    std::string(simdjson::error_message(error)) +
                                                    "): " + OneLine(data, 120)));
    return false;
  }
  if (root.is_null()) {  // llama-server opens streams of several prompts with it
    delta.count = 0;
    return false;
  }
  if (root.get_object().get(event) != simdjson::SUCCESS) {
    Fail(delta,
         MakeError(ErrorCode::kProtocol, "an event is not a JSON object: " + OneLine(data, 120)));
    return false;
  }
  if (api_ == Api::kNative) {
    ReadNativeEvent(event, delta, fields);
  } else {
    ReadOpenAiEvent(event, delta, fields);
  }
  return true;
}

void CompletionDecoder::Interpret(std::string_view data, CompletionDelta& delta,
                                  const EventFields& fields) {
  if (fields.is_error || (fields.has_message && !fields.has_choice)) {
    delta.Clear();
    return Fail(delta, ErrorFromEvent(data));
  }
  if (fields.choice != 0) {  // nobody asked for a second answer
    delta.Clear();
    delta.count = 0;
    return;
  }
  if (!fields.failed_finish.empty()) {
    return Fail(delta, MakeError(ErrorCode::kServerError,
                                 "the server ended the answer with finish_reason \"" +
                                     OneLine(fields.failed_finish, 60) + "\""));
  }
  if (fields.prompt_tokens >= 0) completion_.usage.prompt_tokens = fields.prompt_tokens;
  Account(delta, fields);
  Finish(delta, fields);
}

void CompletionDecoder::Account(CompletionDelta& delta, const EventFields& fields) {
  if (fields.progress) delta.ids.clear();
  std::int64_t total = fields.predicted;
  bool by_ids = total >= 0;
  if (total < 0 && delta.usage) total = delta.usage->completion_tokens;
  if (total < 0 && delta.timings) total = delta.timings->predicted_n;
  const bool stands_for_tokens = fields.has_choice && !fields.role_only && !fields.progress;

  if (!counts_known_ || total < 0 || total < counted_) {
    if (total >= 0 && total < counted_) counts_known_ = false;  // it contradicts itself
    if (fields.ids_complete && counts_known_) {
      delta.count = static_cast<int>(delta.ids.size());
      by_ids = true;
    } else if (!stands_for_tokens) {
      delta.count = 0;
    } else {
      counts_known_ = false;
    }
  } else {
    delta.count = ToInt(total - counted_);
  }
  if (delta.count > 0) {
    counted_ += delta.count;
    counted_by_ids_ = by_ids;
  }
  // An event that stands for no token has no id either: llama-server sends a bogus 0.
  if (delta.count >= 0 && delta.ids.size() > static_cast<std::size_t>(delta.count)) {
    delta.ids.erase(delta.ids.begin(), delta.ids.end() - delta.count);
  }
  ids_ += static_cast<std::int64_t>(delta.ids.size());
  if (delta.has_content()) ++content_events_;
}

void CompletionDecoder::Finish(CompletionDelta& delta, const EventFields& fields) {
  if (delta.timings) completion_.timings = delta.timings;
  if (delta.truncated) completion_.truncated = true;
  if (api_ == Api::kNative && fields.native_stop) {
    // An older build, or one that does not say why.
    if (!delta.finish_reason) delta.finish_reason = FinishReason::kStop;
    if (fields.predicted >= 0) {
      Usage& usage = delta.usage.emplace();
      usage.prompt_tokens = completion_.usage.prompt_tokens;
      usage.cached_tokens = delta.timings ? delta.timings->cache_n : 0;
      usage.completion_tokens = ToInt(fields.predicted);
    }
    delta.end = ended_ = true;
  } else if (api_ == Api::kNative) {
    delta.finish_reason.reset();
  }
  if (delta.usage) {
    has_usage_ = true;
    completion_.usage = *delta.usage;
  }
  if (!delta.finish_reason) {
    delta.matched_stop.clear();
    return;
  }
  // /v1/* say "stop" for a stop string too; only `__verbose` tells which.
  if (delta.finish_reason == FinishReason::kStop && !delta.matched_stop.empty()) {
    delta.finish_reason = FinishReason::kStopString;
  }
  finished_ = true;
  completion_.finish_reason = *delta.finish_reason;
  completion_.matched_stop = delta.matched_stop;
}

std::int64_t CompletionDecoder::Total() const {
  if (has_usage_) return completion_.usage.completion_tokens;
  if (completion_.timings) return completion_.timings->predicted_n;
  return -1;
}

TokenSource CompletionDecoder::token_source() const {
  const std::int64_t total = Total();
  if (counts_known_ && counted_by_ids_ && (!has_usage_ || total == counted_)) {
    return TokenSource::kIds;
  }
  // Ids out of logprobs miss those within a character: they count where nothing contradicts them.
  if (ids_ > 0 && (total < 0 || total == ids_)) return TokenSource::kIds;
  if (has_usage_) return TokenSource::kUsage;
  if (completion_.timings) return TokenSource::kTimings;
  return content_events_ > 0 ? TokenSource::kChunks : TokenSource::kNone;
}

int CompletionDecoder::tokens() const {
  switch (token_source()) {
    case TokenSource::kIds: return ToInt(counts_known_ && counted_by_ids_ ? counted_ : ids_);
    case TokenSource::kUsage:
    case TokenSource::kTimings: return ToInt(Total());
    case TokenSource::kChunks: return ToInt(content_events_);
    case TokenSource::kNone: return 0;
  }
  return 0;
}

Completion CompletionDecoder::completion() const {
  Completion out = completion_;
  if (has_usage_) return out;
  out.usage.completion_tokens = tokens();
  if (out.timings) {
    out.usage.prompt_tokens =
        std::max(out.usage.prompt_tokens, out.timings->prompt_n + out.timings->cache_n);
    out.usage.cached_tokens = out.timings->cache_n;
  }
  return out;
}

}  // namespace rocm::wire
