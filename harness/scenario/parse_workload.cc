// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include "harness/scenario/names.h"
#include "harness/scenario/parse.h"

namespace harness {
namespace {

constexpr int kMaxTokens = 1 << 20;
constexpr double kMaxWaitMs = 24.0 * 3600 * 1000;

Length ParseDistribution(const nlohmann::json& value, const std::string& path, int min,
                         Findings& findings) {
  ObjectReader object(value, path, findings);
  if (object.Keys().size() != 1) {
    object.FailHere("must have exactly one of uniform, lognormal, choice");
    return FixedLength{min};
  }
  Length length = FixedLength{min};
  if (const auto* uniform = object.Take("uniform")) {
    const auto ends = AsArray(*uniform, object.PathOf("uniform"), 2, 2, findings);
    if (ends.size() == 2) {
      UniformLength u;
      u.from = static_cast<int>(
          AsInteger(*ends[0], AtIndex(object.PathOf("uniform"), 0), min, kMaxTokens, findings));
      u.to = static_cast<int>(
          AsInteger(*ends[1], AtIndex(object.PathOf("uniform"), 1), min, kMaxTokens, findings));
      if (u.from > u.to) object.Fail("uniform", "the first number is larger than the second");
      length = u;
    }
  } else if (const auto* lognormal = object.Take("lognormal")) {
    ObjectReader inner(*lognormal, object.PathOf("lognormal"), findings);
    if (!inner.Has("median")) inner.Fail("median", "is missing");
    if (!inner.Has("max")) inner.Fail("max", "is missing");
    LognormalLength l;
    l.median = inner.Number("median", min, kMaxTokens).value_or(min);
    l.sigma = inner.Number("sigma", 0, 4).value_or(0.5);
    l.max = static_cast<int>(inner.Integer("max", min, kMaxTokens).value_or(min));
    inner.Done();
    length = l;
  } else if (const auto* choice = object.Take("choice")) {
    ChoiceLength c;
    const std::string at = object.PathOf("choice");
    const auto elements = AsArray(*choice, at, 1, 256, findings);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      c.tokens.push_back(
          static_cast<int>(AsInteger(*elements[i], AtIndex(at, i), min, kMaxTokens, findings)));
    }
    length = c;
  }
  object.Done();
  return length;
}

std::vector<std::string> ParseTexts(const nlohmann::json& value, const std::string& path,
                                    Findings& findings) {
  std::vector<std::string> texts;
  const auto elements = AsArray(value, path, 1, 10'000, findings);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    texts.push_back(AsString(*elements[i], AtIndex(path, i), findings));
  }
  return texts;
}

MessagesPrompt ParseMessages(const nlohmann::json& value, const std::string& path,
                             Findings& findings) {
  MessagesPrompt prompt;
  const auto elements = AsArray(value, path, 1, 1'000, findings);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    ObjectReader message(*elements[i], AtIndex(path, i), findings);
    rocm::Message m{message.RequiredString("role"), message.RequiredString("content")};
    if (m.role != "system" && m.role != "user" && m.role != "assistant" && !m.role.empty()) {
      message.Fail("role", "must be system, user or assistant");
    }
    message.Done();
    prompt.messages.push_back(std::move(m));
  }
  return prompt;
}

Prompt ParsePrompt(const nlohmann::json& value, const std::string& path, Findings& findings) {
  ObjectReader object(value, path, findings);
  Prompt prompt = TextPrompts{};
  int kinds = 0;
  for (const char* key : {"text", "texts", "messages", "synthetic_tokens", "conversation"}) {
    if (object.Has(key)) ++kinds;
  }
  if (kinds != 1) {
    object.FailHere(
        "must have exactly one of text, texts, messages, synthetic_tokens, conversation");
  }
  if (const auto* text = object.Take("text")) {
    prompt = TextPrompts{{AsString(*text, object.PathOf("text"), findings)}};
  }
  if (const auto* texts = object.Take("texts")) {
    prompt = TextPrompts{ParseTexts(*texts, object.PathOf("texts"), findings)};
  }
  if (const auto* messages = object.Take("messages")) {
    prompt = ParseMessages(*messages, object.PathOf("messages"), findings);
  }
  if (const auto* tokens = object.Take("synthetic_tokens")) {
    SyntheticPrompt synthetic;
    synthetic.tokens = ParseLength(*tokens, object.PathOf("synthetic_tokens"), 1, findings);
    synthetic.depth = static_cast<int>(object.Integer("depth", 0, kMaxTokens).value_or(0));
    prompt = synthetic;
  }
  if (const auto* value_of = object.Take("conversation")) {
    ObjectReader inner(*value_of, object.PathOf("conversation"), findings);
    ConversationPrompt conversation;
    conversation.turns = static_cast<int>(inner.Integer("turns", 2, 1'000).value_or(2));
    if (const auto* tokens = inner.Require("user_tokens")) {
      conversation.user_tokens = ParseLength(*tokens, inner.PathOf("user_tokens"), 1, findings);
    }
    inner.Done();
    prompt = conversation;
  }
  object.Done();
  return prompt;
}

void ParseOutput(ObjectReader& object, Workload& workload, Findings& findings) {
  const auto* output = object.Require("output_tokens");
  if (output == nullptr) return;
  ObjectReader inner(*output, object.PathOf("output_tokens"), findings);
  if (inner.Has("fixed") == inner.Has("max")) inner.FailHere("must have exactly one of fixed, max");
  if (const auto* fixed = inner.Take("fixed")) {
    workload.output_tokens = ParseLength(*fixed, inner.PathOf("fixed"), 1, findings);
    workload.exact_output = true;
  }
  if (const auto* max = inner.Take("max")) {
    workload.output_tokens = ParseLength(*max, inner.PathOf("max"), 1, findings);
    workload.exact_output = false;
  }
  inner.Done();
}

}  // namespace

Length ParseLength(const nlohmann::json& value, const std::string& path, int min,
                   Findings& findings) {
  if (value.is_object()) return ParseDistribution(value, path, min, findings);
  return FixedLength{static_cast<int>(AsInteger(value, path, min, kMaxTokens, findings))};
}

Workload ParseWorkload(const nlohmann::json& value, const std::string& path, Findings& findings) {
  ObjectReader object(value, path, findings);
  Workload workload;
  if (!object.Has("api")) object.Fail("api", "is missing");
  workload.api = object.Enum<WorkloadApi>("api", kApiNames).value_or(WorkloadApi::kNative);
  if (const auto* prompt = object.Require("prompt")) {
    workload.prompt = ParsePrompt(*prompt, object.PathOf("prompt"), findings);
  }
  ParseOutput(object, workload, findings);
  workload.seed = static_cast<std::uint64_t>(
      object.Integer("seed", 0, std::numeric_limits<std::int64_t>::max()).value_or(0));
  workload.cache_prompt = object.Boolean("cache_prompt").value_or(false);
  workload.temperature = object.Number("temperature", 0, 10).value_or(0);
  workload.deadline = object.Duration("deadline_ms", 1, kMaxWaitMs, 1).value_or(workload.deadline);
  workload.stall_timeout =
      object.Duration("stall_timeout_ms", 1, kMaxWaitMs, 1).value_or(workload.stall_timeout);
  object.Done();
  return workload;
}

}  // namespace harness
