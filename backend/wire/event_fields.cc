// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/event_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "backend/wire/json.h"

namespace rocm::wire {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

bool AsObject(element value, object& out) {
  return value.get_object().get(out) == simdjson::SUCCESS;
}

bool AsArray(element value, array& out) { return value.get_array().get(out) == simdjson::SUCCESS; }

void AppendText(element value, std::string& out) {
  std::string_view text;
  if (Read(value, text)) out.append(text);
}

void ReadIds(element value, std::vector<std::int32_t>& ids) {
  array tokens;
  if (!AsArray(value, tokens)) return;
  for (const element token : tokens) {
    int id = 0;
    if (Read(token, id)) ids.push_back(id);
  }
}

// Counts and times below zero are nonsense that must not reach a sum.
template <typename Number>
void ReadAmount(element value, Number& out) {
  Number amount = 0;
  if (Read(value, amount) && amount >= 0) out = amount;
}

void ReadTimings(element value, CompletionDelta& delta) {
  object block;
  if (!AsObject(value, block)) return;
  Timings& timings = delta.timings.emplace();
  for (const auto field : block) {
    if (field.key == "cache_n") {
      ReadAmount(field.value, timings.cache_n);
    } else if (field.key == "prompt_n") {
      ReadAmount(field.value, timings.prompt_n);
    } else if (field.key == "prompt_ms") {
      ReadAmount(field.value, timings.prompt_ms);
    } else if (field.key == "predicted_n") {
      ReadAmount(field.value, timings.predicted_n);
    } else if (field.key == "predicted_ms") {
      ReadAmount(field.value, timings.predicted_ms);
    }
  }
}

void ReadUsage(element value, CompletionDelta& delta) {
  object block;
  if (!AsObject(value, block)) return;
  Usage& usage = delta.usage.emplace();
  for (const auto field : block) {
    object details;
    if (field.key == "prompt_tokens") {
      ReadAmount(field.value, usage.prompt_tokens);
    } else if (field.key == "completion_tokens") {
      ReadAmount(field.value, usage.completion_tokens);
    } else if (field.key == "prompt_tokens_details" && AsObject(field.value, details)) {
      element cached;
      if (details["cached_tokens"].get(cached) == simdjson::SUCCESS) {
        ReadAmount(cached, usage.cached_tokens);
      }
    }
  }
}

TokenLogprob ReadLogprob(object entry) {
  TokenLogprob out;
  for (const auto field : entry) {
    if (field.key == "id") {
      (void)Read(field.value, out.id);
    } else if (field.key == "token" || field.key == "tok_str") {
      (void)Read(field.value, out.text);
    } else if (field.key == "logprob") {
      (void)Read(field.value, out.logprob);
    } else if (field.key == "prob") {
      double probability = 0;
      (void)Read(field.value, probability);
      out.logprob = probability > 0 ? std::log(probability) : std::numeric_limits<double>::lowest();
    }
  }
  return out;
}

// The alternatives are the likeliest before any constraint: what a grammar made the server choose
// need not be among them.
void AppendChosen(object entry, std::vector<TokenLogprob>& alternatives) {
  TokenLogprob chosen = ReadLogprob(entry);
  const auto same = [&](const TokenLogprob& other) { return other.id == chosen.id; };
  if (chosen.id < 0 || std::ranges::any_of(alternatives, same)) return;
  alternatives.push_back(std::move(chosen));
}

// `[{id, token, logprob, top_logprobs: […]}]`: chat, /v1/completions and native alike; native says
// `prob` and `top_probs` after sampling. The list of alternatives is that of the last token.
void ReadLogprobEntries(element value, CompletionDelta& delta, bool take_ids) {
  array entries;
  if (!AsArray(value, entries)) return;
  for (const element entry : entries) {
    object token;
    if (!AsObject(entry, token)) continue;
    for (const auto field : token) {
      int id = 0;
      array top;
      if (take_ids && field.key == "id" && Read(field.value, id)) delta.ids.push_back(id);
      if ((field.key != "top_logprobs" && field.key != "top_probs") || !AsArray(field.value, top)) {
        continue;
      }
      delta.top_logprobs.clear();
      for (const element candidate : top) {
        object alternative;
        if (AsObject(candidate, alternative)) {
          delta.top_logprobs.push_back(ReadLogprob(alternative));
        }
      }
      AppendChosen(token, delta.top_logprobs);
    }
  }
}

// The older OpenAI shape: {"tokens": […], "token_logprobs": […], "top_logprobs": [{text: p}]}.
void ReadLegacyTopLogprobs(element value, CompletionDelta& delta) {
  array steps;
  if (!AsArray(value, steps)) return;
  for (const element step : steps) {
    object alternatives;
    if (!AsObject(step, alternatives)) continue;
    delta.top_logprobs.clear();
    for (const auto alternative : alternatives) {
      TokenLogprob& out = delta.top_logprobs.emplace_back();
      out.text.assign(alternative.key);
      (void)Read(alternative.value, out.logprob);
    }
  }
}

void ReadLogprobs(element value, CompletionDelta& delta, bool take_ids) {
  object block;
  if (!AsObject(value, block)) return;
  for (const auto field : block) {
    if (field.key == "content") ReadLogprobEntries(field.value, delta, take_ids);
    if (field.key == "top_logprobs") ReadLegacyTopLogprobs(field.value, delta);
  }
}

void ReadToolCalls(element value, CompletionDelta& delta) {
  array calls;
  if (!AsArray(value, calls)) return;
  for (const element call : calls) {
    object function;
    if (call["function"].get_object().get(function) != simdjson::SUCCESS) continue;
    for (const auto field : function) {
      if (field.key == "name" || field.key == "arguments") {
        AppendText(field.value, delta.tool_call);
      }
    }
  }
}

void ReadChatDelta(element value, CompletionDelta& delta, EventFields& fields) {
  object content;
  if (!AsObject(value, content)) return;
  bool role = false;
  for (const auto field : content) {
    if (field.key == "content") {
      AppendText(field.value, delta.text);
    } else if (field.key == "reasoning_content" || field.key == "reasoning") {
      // Some servers send both names with the same text.
      if (delta.reasoning.empty()) AppendText(field.value, delta.reasoning);
    } else if (field.key == "tool_calls") {
      ReadToolCalls(field.value, delta);
    } else if (field.key == "role") {
      role = true;
    }
  }
  fields.role_only = role && !delta.has_content();
}

void ReadFinishReason(element value, CompletionDelta& delta, EventFields& fields) {
  std::string_view reason;
  if (!Read(value, reason)) return;
  if (reason == "stop" || reason == "eos" || reason == "eos_token" || reason == "end_turn") {
    delta.finish_reason = FinishReason::kStop;
  } else if (reason == "stop_sequence") {
    delta.finish_reason = FinishReason::kStopString;
  } else if (reason == "length" || reason == "max_tokens") {
    delta.finish_reason = FinishReason::kLength;
  } else if (reason == "tool_calls" || reason == "function_call") {
    delta.finish_reason = FinishReason::kToolCalls;
  } else if (!reason.empty()) {
    fields.failed_finish.assign(reason);
  }
}

// vLLM and SGLang name what matched: a string, or a token id.
void ReadMatchedStop(element value, CompletionDelta& delta) {
  std::int64_t id = 0;
  if (Read(value, delta.matched_stop)) return;
  if (Read(value, id)) delta.matched_stop = std::to_string(id);
}

// `__verbose` holds the native event, on /v1/completions with its ids.
void ReadVerbose(element value, CompletionDelta& delta, EventFields& fields) {
  object block;
  if (!AsObject(value, block)) return;
  for (const auto field : block) {
    if (field.key == "tokens") {
      delta.ids.clear();
      ReadIds(field.value, delta.ids);
    } else if (field.key == "tokens_predicted") {
      ReadAmount(field.value, fields.predicted);
    } else if (field.key == "tokens_evaluated") {
      ReadAmount(field.value, fields.prompt_tokens);
    } else if (field.key == "stopping_word") {
      (void)Read(field.value, delta.matched_stop);
    } else if (field.key == "truncated") {
      (void)Read(field.value, delta.truncated);
    } else if (field.key == "prompt_progress") {
      fields.progress = true;
    }
  }
}

void ReadChoice(object choice, CompletionDelta& delta, EventFields& fields) {
  fields.has_choice = true;
  element stop_reason;
  bool has_stop_reason = false;
  for (const auto field : choice) {
    if (field.key == "text") {
      AppendText(field.value, delta.text);
    } else if (field.key == "delta") {
      ReadChatDelta(field.value, delta, fields);
    } else if (field.key == "finish_reason") {
      ReadFinishReason(field.value, delta, fields);
    } else if (field.key == "index") {
      (void)Read(field.value, fields.choice);
    } else if (field.key == "logprobs") {
      ReadLogprobs(field.value, delta, true);
    } else if (field.key == "token_ids") {
      delta.ids.clear();
      ReadIds(field.value, delta.ids);
      fields.ids_complete = !delta.ids.empty();
    } else if (field.key == "stop_reason" || field.key == "matched_stop") {
      stop_reason = field.value;
      has_stop_reason = true;
    }
  }
  if (has_stop_reason && delta.finish_reason == FinishReason::kStop) {
    ReadMatchedStop(stop_reason, delta);
    if (stop_reason.is_string()) delta.finish_reason = FinishReason::kStopString;
    if (stop_reason.is_int64()) delta.finish_reason = FinishReason::kStopToken;
  }
}

void ReadStopType(element value, CompletionDelta& delta) {
  std::string_view type;
  if (!Read(value, type)) return;
  if (type == "limit") delta.finish_reason = FinishReason::kLength;
  if (type == "word") delta.finish_reason = FinishReason::kStopString;
  if (type == "eos") delta.finish_reason = FinishReason::kStop;
}

// Builds before `stop_type` said it in three booleans.
void ReadOldStopFlag(std::string_view key, element value, CompletionDelta& delta) {
  bool set = false;
  if (!Read(value, set) || !set) return;
  if (key == "stopped_limit") delta.finish_reason = FinishReason::kLength;
  if (key == "stopped_word") delta.finish_reason = FinishReason::kStopString;
  if (key == "stopped_eos") delta.finish_reason = FinishReason::kStop;
}

}  // namespace

void ReadNativeEvent(object event, CompletionDelta& delta, EventFields& fields) {
  for (const auto field : event) {
    const std::string_view key = field.key;
    if (key == "content") {
      fields.has_choice = true;
      AppendText(field.value, delta.text);
    } else if (key == "tokens") {
      ReadIds(field.value, delta.ids);
    } else if (key == "stop") {
      fields.has_choice = true;
      (void)Read(field.value, fields.native_stop);
    } else if (key == "tokens_predicted") {
      ReadAmount(field.value, fields.predicted);
    } else if (key == "tokens_evaluated") {
      ReadAmount(field.value, fields.prompt_tokens);
    } else if (key == "index") {
      (void)Read(field.value, fields.choice);
    } else if (key == "timings") {
      ReadTimings(field.value, delta);
    } else if (key == "stop_type") {
      ReadStopType(field.value, delta);
    } else if (key == "stopping_word") {
      (void)Read(field.value, delta.matched_stop);
    } else if (key == "truncated") {
      (void)Read(field.value, delta.truncated);
    } else if (key == "completion_probabilities") {
      ReadLogprobEntries(field.value, delta, false);
    } else if (key == "prompt_progress") {
      fields.progress = true;
    } else if (key == "reasoning_content") {
      AppendText(field.value, delta.reasoning);
    } else if (key.starts_with("stopped_")) {
      ReadOldStopFlag(key, field.value, delta);
    } else if (key == "error") {
      fields.is_error = !field.value.is_null();
    } else if (key == "message" || key == "detail") {
      fields.has_message = true;
    }
  }
}

void ReadOpenAiEvent(object event, CompletionDelta& delta, EventFields& fields) {
  for (const auto field : event) {
    const std::string_view key = field.key;
    array choices;
    if (key == "choices" && AsArray(field.value, choices)) {
      object choice;

      if (choices.size() > 0 && choices.at(0).get_object().get(choice) == simdjson::SUCCESS) {
        ReadChoice(choice, delta, fields);
      }
    } else if (key == "usage") {
      ReadUsage(field.value, delta);
    } else if (key == "timings") {
      ReadTimings(field.value, delta);
    } else if (key == "__verbose") {
      ReadVerbose(field.value, delta, fields);
    } else if (key == "prompt_progress") {
      fields.progress = true;
    } else if (key == "error") {
      fields.is_error = !field.value.is_null();
    } else if (key == "message" || key == "detail") {
      fields.has_message = true;
    } else if (key == "object") {
      std::string_view kind;
      if (Read(field.value, kind) && kind == "error") fields.is_error = true;
    }
  }
}

}  // namespace rocm::wire
