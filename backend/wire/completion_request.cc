// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/completion_request.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "backend/wire/json.h"

namespace rocm::wire {
namespace {

using nlohmann::json;

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

bool IsUtf8(std::string_view text) { return simdjson::validate_utf8(text); }

// Whatever nests deeper is refused before nlohmann sees it: its copy and dump recurse.
bool WithinDepth(std::string_view text) {
  simdjson::dom::element root;
  return ParseJson(text, root) == simdjson::SUCCESS;
}

Result<void> CheckText(std::string_view text, std::string_view what) {
  if (IsUtf8(text)) return {};
  return Invalid(std::string(what) + " is not valid UTF-8");
}

Result<void> CheckNumbers(const GenerateConfig& config) {
  const auto finite = [](const std::optional<double>& value) {
    return !value || std::isfinite(*value);
  };
  if (config.max_tokens < 0) return Invalid("max_tokens is negative");
  if (!std::isfinite(config.temperature) || config.temperature < 0) {
    return Invalid("temperature must be a number, zero or more");
  }
  if (!finite(config.top_p) || !finite(config.min_p) || !finite(config.repeat_penalty) ||
      !finite(config.presence_penalty) || !finite(config.frequency_penalty)) {
    return Invalid("a sampling parameter is not a finite number");
  }
  if (config.top_k && *config.top_k < 0) return Invalid("top_k is negative");
  if (config.logprobs < 0) return Invalid("logprobs is negative");
  for (const auto& [id, bias] : config.logit_bias) {
    if (id < 0) return Invalid("logit_bias names a negative token id");
    // -infinity bans a token, but JSON has no word for it: llama-server takes false.
    if (std::isnan(bias) || bias == INFINITY) return Invalid("a logit_bias is not a number");
  }
  return {};
}

Result<void> CheckStrings(const GenerateConfig& config) {
  for (const std::string& stop : config.stop) {
    // llama-server would end at the first token, with nothing to say why.
    if (stop.empty()) return Invalid("a stop string is empty");
    if (auto ok = CheckText(stop, "a stop string"); !ok) return ok;
  }
  if (!config.grammar.empty() && !config.json_schema.empty()) {
    return Invalid("grammar and json_schema exclude each other");
  }
  return CheckText(config.grammar, "grammar");
}

json LogitBias(const GenerateConfig& config, bool llama_server) {
  if (!llama_server) {
    json biases = json::object();
    for (const auto& [id, bias] : config.logit_bias) {
      biases[std::to_string(id)] = std::isinf(bias) ? -100.0 : bias;
    }
    return biases;
  }
  json biases = json::array();
  for (const auto& [id, bias] : config.logit_bias) {
    biases.push_back(std::isinf(bias) ? json{id, false} : json{id, bias});
  }
  return biases;
}

void PutLogprobs(json& body, Api api, int logprobs) {
  switch (api) {
    case Api::kNative: body["n_probs"] = logprobs; return;
    case Api::kCompletion:
      if (logprobs > 0) body["logprobs"] = logprobs;
      return;
    case Api::kChat:
      body["logprobs"] = logprobs > 0;
      if (logprobs > 0) body["top_logprobs"] = logprobs;
      return;
  }
}

// OpenAI's own fields, which every server knows.
void PutStandard(json& body, Api api, const GenerateConfig& config, const RequestOptions& options) {
  body["stream"] = options.stream;
  if (options.stream && api != Api::kNative) {
    body["stream_options"] = {{"include_usage", true}};
  }
  if (!options.model.empty()) body["model"] = options.model;
  body[api == Api::kNative ? "n_predict" : "max_tokens"] = config.max_tokens;
  body["temperature"] = config.temperature;
  body["top_p"] = config.top_p.value_or(1.0);
  body["presence_penalty"] = config.presence_penalty.value_or(0.0);
  body["frequency_penalty"] = config.frequency_penalty.value_or(0.0);
  if (config.seed) body["seed"] = *config.seed;
  if (!config.stop.empty() || options.llama_server) body["stop"] = config.stop;
  if (!config.logit_bias.empty()) body["logit_bias"] = LogitBias(config, options.llama_server);
  PutLogprobs(body, api, config.logprobs);
}

// llama-server's fields. Samplers that GenerateConfig does not name are switched off: the server
// may have been started with others.
void PutLlamaServer(json& body, Api api, const GenerateConfig& config,
                    const RequestOptions& options) {
  body["top_k"] = config.top_k.value_or(0);
  body["min_p"] = config.min_p.value_or(0.0);
  body["repeat_penalty"] = config.repeat_penalty.value_or(1.0);
  body["typical_p"] = 1.0;
  body["top_n_sigma"] = -1.0;
  body["xtc_probability"] = 0.0;
  body["dry_multiplier"] = 0.0;
  body["dynatemp_range"] = 0.0;
  body["mirostat"] = 0;
  if (!config.seed) body["seed"] = 0xFFFFFFFFU;  // the server's word for a random one
  body["ignore_eos"] = config.ignore_eos;
  body["cache_prompt"] = config.cache_prompt;
  if (options.return_progress) body["return_progress"] = true;
  if (api == Api::kNative) {
    body["return_tokens"] = true;
    // The last event would else repeat the whole prompt and all settings.
    body["response_fields"] = {
        "index",     "content",          "tokens",           "stop",   "stop_type", "stopping_word",
        "truncated", "tokens_predicted", "tokens_evaluated", "timings"};
  } else if (options.verbose) {
    body["verbose"] = true;
  }
}

Result<void> PutConstraint(json& body, const GenerateConfig& config, bool llama_server) {
  if (!config.grammar.empty()) {
    if (!llama_server) return Invalid("grammar needs llama-server");
    body["grammar"] = config.grammar;
  }
  if (config.json_schema.empty()) return {};
  if (!WithinDepth(config.json_schema)) {
    return Invalid("json_schema is not valid JSON, or nests deeper than 64");
  }
  json schema = json::parse(config.json_schema, nullptr, false);
  if (!schema.is_object()) return Invalid("json_schema is not a JSON object");
  if (llama_server) {
    body["json_schema"] = std::move(schema);
  } else {
    body["response_format"] = {
        {"type", "json_schema"},
        {"json_schema", {{"name", "answer"}, {"schema", std::move(schema)}, {"strict", true}}}};
  }
  return {};
}

Result<json> MessagesJson(std::span<const Message> messages) {
  if (messages.empty()) return Invalid("a chat needs at least one message");
  json list = json::array();
  for (const Message& message : messages) {
    if (message.role.empty()) return Invalid("a message has no role");
    if (!IsUtf8(message.role) || !IsUtf8(message.content)) {
      return Invalid("a message is not valid UTF-8");
    }
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  return list;
}

Result<void> PutPrompt(json& body, Api api, const Prompt& prompt) {
  if (const auto* messages = std::get_if<std::span<const Message>>(&prompt)) {
    if (api != Api::kChat) return Invalid("messages need the chat API");
    auto list = MessagesJson(*messages);
    if (!list) return Fail(std::move(list.error()));
    body["messages"] = std::move(*list);
    return {};
  }
  if (api == Api::kChat) return Invalid("the chat API takes messages, not a prompt");
  if (const auto* ids = std::get_if<std::span<const std::int32_t>>(&prompt)) {
    if (ids->empty()) return Invalid("the prompt holds no tokens");
    body["prompt"] = *ids;
    return {};
  }
  const std::string_view text = std::get<std::string_view>(prompt);
  if (auto ok = CheckText(text, "the prompt"); !ok) return ok;
  body["prompt"] = text;
  return {};
}

}  // namespace

Result<std::string> BuildRequest(Api api, const Prompt& prompt, const GenerateConfig& config,
                                 const RequestOptions& options) {
  if (api == Api::kNative && !options.llama_server) {
    return Invalid("the native API needs llama-server");
  }
  if (!options.llama_server && config.ignore_eos) return Invalid("ignore_eos needs llama-server");
  json body = json::object();
  for (const auto& check :
       {CheckNumbers(config), CheckStrings(config), CheckText(options.model, "the model name"),
        PutPrompt(body, api, prompt), PutConstraint(body, config, options.llama_server)}) {
    if (!check) return Fail(check.error());
  }
  PutStandard(body, api, config, options);
  if (options.llama_server) PutLlamaServer(body, api, config, options);
  return body.dump();
}

Result<std::string> BuildApplyTemplate(std::span<const Message> messages) {
  auto list = MessagesJson(messages);
  if (!list) return Fail(std::move(list.error()));
  return json{{"messages", std::move(*list)}}.dump();
}

Result<std::string> BuildTokenize(std::string_view text, bool add_special, bool parse_special) {
  if (auto ok = CheckText(text, "the text"); !ok) return Fail(std::move(ok.error()));
  return json{{"content", text}, {"add_special", add_special}, {"parse_special", parse_special}}
      .dump();
}

std::string BuildDetokenize(std::span<const std::int32_t> ids) {
  return json{{"tokens", ids}}.dump();
}

}  // namespace rocm::wire
