// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/api/generation_params.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace mock {
namespace {

constexpr std::int64_t kIntMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kIntMin = std::numeric_limits<std::int32_t>::min();

constexpr std::array<std::string_view, 17> kFloats{
    "temperature",      "dynatemp_range",    "dynatemp_exponent", "top_p",     "min_p",
    "top_n_sigma",      "xtc_probability",   "xtc_threshold",     "typical_p", "repeat_penalty",
    "presence_penalty", "frequency_penalty", "dry_multiplier",    "dry_base",  "mirostat_tau",
    "mirostat_eta",     "adaptive_target"};

struct IntField {
  std::string_view name;
  std::int64_t min;
};
constexpr std::array<IntField, 9> kInts{{{"top_k", kIntMin},
                                         {"repeat_last_n", 0},
                                         {"dry_allowed_length", kIntMin},
                                         {"dry_penalty_last_n", 0},
                                         {"mirostat", kIntMin},
                                         {"n_keep", kIntMin},
                                         {"n_discard", kIntMin},
                                         {"n_probs", kIntMin},
                                         {"min_keep", 0}}};

// Numbers that are accepted, checked and otherwise ignored.
constexpr std::array<std::string_view, 3> kIgnoredNumbers{"n_indent", "t_max_prompt_ms",
                                                          "t_max_predict_ms"};

// A float of 32 bits as llama-server prints it.
Json Float(double value) { return static_cast<double>(static_cast<float>(value)); }

std::string FieldError(std::string_view field, std::string_view reason) {
  return fmt::format("Field '{}': {}", field, reason);
}

std::string TypeError(std::string_view field, std::string_view wanted, const Json& value) {
  return FieldError(field, fmt::format("[json.exception.type_error.302] type must be {}, but is {}",
                                       wanted, value.type_name()));
}

// The value, or null when it is absent or null (which means the default).
const Json* Find(const Json& body, std::string_view field) {
  const auto found = body.find(std::string(field));
  return found == body.end() || found->is_null() ? nullptr : &*found;
}

class Reader {
 public:
  Reader(const Json& body, GenerationParams& params) : body_(body), params_(params) {}

  void Floats() {
    for (const std::string_view name : kFloats) {
      if (const Json* value = Number(name)) {
        params_.settings[std::string(name)] = Float(value->get<double>());
      }
    }
  }

  void Int(std::string_view name, std::int64_t min, std::int64_t max = kIntMax) {
    const Json* value = Number(name);
    if (value == nullptr) return;
    const std::int64_t number = value->is_number_float()
                                    ? static_cast<std::int64_t>(value->get<double>())
                                    : value->get<std::int64_t>();
    if (number < min || number > max) {
      Fail(FieldError(name, fmt::format("Value must be between {} <= value <= {}, but got {}", min,
                                        max, number)));
      return;
    }
    last_int_ = number;
    params_.settings[std::string(name)] = number;
  }

  std::optional<std::int64_t> LastInt() { return std::exchange(last_int_, std::nullopt); }

  void Bool(std::string_view name, bool& out) {
    const Json* value = Find(body_, name);
    if (value == nullptr) return;
    if (!value->is_boolean()) {
      Fail(TypeError(name, "boolean", *value));
      return;
    }
    out = value->get<bool>();
  }

  const Json* Number(std::string_view name) {
    const Json* value = Find(body_, name);
    if (value == nullptr || value->is_number() || value->is_boolean()) return value;
    Fail(TypeError(name, "number", *value));
    return nullptr;
  }

  void Fail(std::string message) {
    if (!error_) error_ = std::move(message);
  }

  [[nodiscard]] const std::optional<std::string>& error() const { return error_; }

 private:
  const Json& body_;
  GenerationParams& params_;
  std::optional<std::string> error_;
  std::optional<std::int64_t> last_int_;
};

void ReadStops(const Json& body, Reader& reader, GenerationParams& params) {
  const Json* stop = Find(body, "stop");
  if (stop == nullptr) return;
  if (stop->is_string()) params.stop_strings.push_back(stop->get<std::string>());
  if (!stop->is_array()) return;
  for (const Json& word : *stop) {
    if (!word.is_string()) {
      reader.Fail(TypeError("stop", "string", word));
      return;
    }
    params.stop_strings.push_back(word.get<std::string>());
  }
}

std::optional<std::optional<float>> ReadBias(const Json& value) {
  if (value.is_number()) return value.get<float>();
  if (value.is_boolean() && !value.get<bool>()) return std::optional<float>();
  return std::nullopt;
}

void ReadLogitBias(const Json& body, GenerationParams& params) {
  const Json* list = Find(body, "logit_bias");
  if (list == nullptr) return;
  const auto add_text = [&params](const std::string& text, std::optional<float> bias) {
    for (const TokenId id : Tokenise(text, false, true)) params.logit_bias.emplace_back(id, bias);
  };
  if (list->is_object()) {
    for (const auto& [key, value] : list->items()) {
      const auto bias = ReadBias(value);
      if (!bias) continue;
      char* end = nullptr;
      const long id = std::strtol(key.c_str(), &end, 10);
      if (!key.empty() && *end == '\0') {
        if (IsToken(id)) params.logit_bias.emplace_back(static_cast<TokenId>(id), *bias);
      } else {
        add_text(key, *bias);
      }
    }
  }
  if (!list->is_array()) return;
  for (const Json& pair : *list) {
    if (!pair.is_array() || pair.size() != 2) continue;
    const auto bias = ReadBias(pair[1]);
    if (!bias) continue;
    if (pair[0].is_number_integer() && IsToken(pair[0].get<std::int64_t>())) {
      params.logit_bias.emplace_back(pair[0].get<TokenId>(), *bias);
    } else if (pair[0].is_string()) {
      add_text(pair[0].get<std::string>(), *bias);
    }
  }
}

void ReadTexts(const Json& body, Reader& reader, GenerationParams& params) {
  if (const Json* breakers = Find(body, "dry_sequence_breakers")) {
    if (!breakers->is_array() || breakers->empty()) {
      reader.Fail(FieldError("dry_sequence_breakers",
                             "Error: dry_sequence_breakers must be a non-empty array of strings"));
    }
    params.settings["dry_sequence_breakers"] = *breakers;
  }
  const Json* lora = Find(body, "lora");
  if (lora != nullptr && !lora->is_array()) {
    reader.Fail(FieldError(
        "lora", "Error: 'lora' must be an array of objects with 'id' and 'scale' fields"));
  }
  if (const Json* samplers = Find(body, "samplers"); samplers != nullptr && samplers->is_array()) {
    params.settings["samplers"] = *samplers;
  }
  if (const Json* grammar = Find(body, "grammar"); grammar != nullptr && grammar->is_string()) {
    params.settings["grammar"] = *grammar;
  }
  if (const Json* fields = Find(body, "response_fields"); fields != nullptr && fields->is_array()) {
    for (const Json& field : *fields) {
      if (field.is_string()) params.response_fields.push_back(field.get<std::string>());
    }
  }
}

// A grammar is never followed; one that llama-server could not parse is refused as there.
bool GrammarLooksWrong(const std::string& grammar) {
  int depth = 0;
  for (const char c : grammar) {
    depth += c == '(' ? 1 : 0;
    depth -= c == ')' ? 1 : 0;
  }
  return !grammar.empty() && (depth != 0 || grammar.find("::=") == std::string::npos);
}

void ReadCounts(const Json& body, Api api, int slots, Reader& reader, GenerationParams& params) {
  // The last of these that is present wins, as in llama-server's own list of names.
  for (const std::string_view name : {"max_tokens", "max_completion_tokens", "n_predict"}) {
    reader.Int(name, -1);
    if (const auto value = reader.LastInt()) params.n_predict = static_cast<int>(*value);
    params.settings.erase("max_completion_tokens");
  }
  params.settings["max_tokens"] = params.n_predict;
  params.settings["n_predict"] = params.n_predict;
  for (const std::string_view name : {"n", "n_cmpl"}) {
    reader.Int(name, 1, slots);
    if (const auto value = reader.LastInt()) params.choices = static_cast<int>(*value);
    params.settings.erase(std::string(name));
  }
  const Json* logprobs = Find(body, "logprobs");
  const Json* top = Find(body, "top_logprobs");
  if (api == Api::kChat) {
    const bool wanted = logprobs != nullptr && (logprobs->is_number() || *logprobs == true);
    if (wanted && top != nullptr && top->is_number()) {
      params.n_probs = top->get<int>();
    } else if (wanted) {
      params.n_probs = logprobs->is_number() ? logprobs->get<int>() : 20;
    } else if (top != nullptr) {
      reader.Fail("top_logprobs requires logprobs to be set to true");
    }
  } else if (logprobs != nullptr && api == Api::kCompletion) {
    params.n_probs = logprobs->is_number() ? logprobs->get<int>() : (*logprobs == true ? 1 : 0);
  }
  if (params.n_probs != 0) params.settings["n_probs"] = params.n_probs;
}

void ReadFlags(const Json& body, Reader& reader, GenerationParams& params) {
  reader.Bool("stream", params.stream);
  reader.Bool("cache_prompt", params.cache_prompt);
  reader.Bool("return_tokens", params.return_tokens);
  reader.Bool("return_progress", params.return_progress);
  reader.Bool("timings_per_token", params.timings_per_token);
  reader.Bool("verbose", params.verbose);
  reader.Bool("post_sampling_probs", params.post_sampling_probs);
  reader.Bool("ignore_eos", params.ignore_eos);
  params.settings["stream"] = params.stream;
  params.settings["timings_per_token"] = params.timings_per_token;
  params.settings["post_sampling_probs"] = params.post_sampling_probs;
  params.settings["ignore_eos"] = params.ignore_eos;
  if (const Json* options = Find(body, "stream_options");
      options != nullptr && options->is_object()) {
    const Json* usage = Find(*options, "include_usage");
    params.include_usage = usage != nullptr && *usage == true;
  }
  if (const Json* seed = reader.Number("seed")) {
    params.seed = static_cast<std::uint32_t>(seed->is_number_float()
                                                 ? static_cast<std::int64_t>(seed->get<double>())
                                                 : seed->get<std::int64_t>());
    params.settings["seed"] = params.seed;
  }
  if (const Json* slot = Find(body, "id_slot"); slot != nullptr && slot->is_number_integer()) {
    params.id_slot = slot->get<int>();
  }
}

void ShowLogitBias(GenerationParams& params) {
  if (params.ignore_eos) {
    for (const TokenId id : {kEos, kEndOfTurn}) params.logit_bias.emplace_back(id, std::nullopt);
  }
  Json shown = Json::array();
  for (const auto& [id, bias] : params.logit_bias) {
    // JSON has no infinity: llama-server shows it as null.
    shown.push_back(Json{{"bias", bias ? Float(*bias) : Json()}, {"token", id}});
  }
  params.settings["logit_bias"] = std::move(shown);
}

}  // namespace

Json DefaultSettings() {
  Json s;
  s["seed"] = 4294967295U;
  s["temperature"] = Float(0.8);
  s["dynatemp_range"] = 0.0;
  s["dynatemp_exponent"] = 1.0;
  s["top_k"] = 40;
  s["top_p"] = Float(0.95);
  s["min_p"] = Float(0.05);
  s["top_n_sigma"] = -1.0;
  s["xtc_probability"] = 0.0;
  s["xtc_threshold"] = Float(0.1);
  s["typical_p"] = 1.0;
  s["repeat_last_n"] = 64;
  s["repeat_penalty"] = 1.0;
  s["presence_penalty"] = 0.0;
  s["frequency_penalty"] = 0.0;
  s["dry_multiplier"] = 0.0;
  s["dry_base"] = 1.75;
  s["dry_allowed_length"] = 2;
  s["dry_penalty_last_n"] = 64;
  s["dry_sequence_breakers"] = Json::array({"\n", ":", "\"", "*"});
  s["mirostat"] = 0;
  s["mirostat_tau"] = 5.0;
  s["mirostat_eta"] = Float(0.1);
  s["adaptive_target"] = -1.0;
  s["adaptive_decay"] = Float(0.9);
  s["stop"] = Json::array();
  s["max_tokens"] = -1;
  s["n_predict"] = -1;
  s["n_keep"] = 0;
  s["n_discard"] = 0;
  s["ignore_eos"] = false;
  s["stream"] = false;
  s["logit_bias"] = Json::array();
  s["n_probs"] = 0;
  s["min_keep"] = 0;
  s["grammar"] = "";
  s["grammar_lazy"] = false;
  s["grammar_triggers"] = Json::array();
  s["preserved_tokens"] = Json::array();
  s["chat_format"] = "Content-only";
  s["reasoning_format"] = "deepseek";
  s["reasoning_in_content"] = false;
  s["generation_prompt"] = "";
  s["samplers"] = Json::array({"penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p",
                               "min_p", "xtc", "temperature"});
  s["speculative.types"] = "none";
  s["timings_per_token"] = false;
  s["post_sampling_probs"] = false;
  s["backend_sampling"] = false;
  s["lora"] = Json::array();
  return s;
}

Json ShortSettings(const Json& settings) {
  Json shown = settings;
  for (const char* name : {"dry_sequence_breakers", "stop", "logit_bias", "grammar", "grammar_lazy",
                           "grammar_triggers", "preserved_tokens"}) {
    shown.erase(name);
  }
  return shown;
}

ApiResult<GenerationParams> ParseGenerationParams(const Json& body, Api api, const Json& defaults,
                                                  int slots) {
  GenerationParams params;
  params.settings = defaults;
  params.n_predict = defaults["n_predict"].get<int>();
  params.ignore_eos = defaults["ignore_eos"].get<bool>();
  Reader reader(body, params);
  ReadFlags(body, reader, params);
  reader.Floats();
  for (const IntField& field : kInts) {
    reader.Int(field.name, field.min);
    const auto value = reader.LastInt();
    if (value && field.name == "n_probs") params.n_probs = static_cast<int>(*value);
  }
  for (const std::string_view name : kIgnoredNumbers) (void)reader.Number(name);
  ReadCounts(body, api, slots, reader, params);
  ReadStops(body, reader, params);
  ReadLogitBias(body, params);
  ReadTexts(body, reader, params);
  if (reader.error()) return BadRequest(*reader.error());
  if (params.settings["repeat_penalty"].get<double>() <= 0.0) {
    return BadRequest(
        "Failed to initialize samplers: penalty_repeat must be finite and greater than 0");
  }
  if (GrammarLooksWrong(params.settings["grammar"].get<std::string>())) {
    return BadRequest("Failed to initialize samplers: failed to parse grammar");
  }
  // These are moved into their range instead of being refused.
  params.settings["top_k"] =
      std::max<std::int64_t>(0, params.settings["top_k"].get<std::int64_t>());
  params.settings["mirostat"] =
      std::clamp<std::int64_t>(params.settings["mirostat"].get<std::int64_t>(), 0, 2);
  params.temperature = params.settings["temperature"].get<double>();
  params.min_p = params.settings["min_p"].get<double>();
  params.settings["stop"] = params.stop_strings;
  if (api == Api::kChat) params.settings["chat_format"] = "peg-native";
  ShowLogitBias(params);
  return params;
}

}  // namespace mock
