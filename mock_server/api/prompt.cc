// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/api/prompt.h"

#include <fmt/format.h>

#include <utility>

namespace mock {
namespace {

constexpr const char* kPromptElements =
    "\"prompt\" elements must be a string, a list of tokens, a JSON object containing a prompt "
    "string, or a list of mixed strings & tokens.";

bool IsTokenList(const Json& value) {
  if (!value.is_array() || value.empty()) return false;
  for (const Json& item : value) {
    if (!item.is_number_integer()) return false;
  }
  return true;
}

bool IsMixed(const Json& value) {
  if (!value.is_array()) return false;
  bool number = false;
  for (const Json& item : value) {
    if (!item.is_number_integer() && !item.is_string()) return false;
    number = number || item.is_number_integer();
  }
  return number;
}

ApiResult<Tokens> OnePrompt(const Json& value) {
  if (value.is_string() || IsTokenList(value) || IsMixed(value)) {
    return TokeniseContent(value, true, true);
  }
  if (value.is_object() && value.contains("prompt_string") && value["prompt_string"].is_string()) {
    return TokeniseContent(value["prompt_string"], true, true);
  }
  return BadRequest(kPromptElements);
}

ApiError ParseFailure(const std::string& message) {
  return ApiError{500, "Failed to parse messages: " + message, "server_error", Json::object()};
}

ApiResult<std::string> ContentText(const Json& content) {
  if (content.is_null()) return std::string();
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return BadRequest("Expected 'content' to be a string or an array");
  std::string text;
  for (const Json& part : content) {
    const std::string type = part.is_object() && part.contains("type") && part["type"].is_string()
                                 ? part["type"].get<std::string>()
                                 : std::string();
    if (type == "image_url" || type == "input_audio" || type == "input_video") {
      const std::string kind =
          type == "image_url" ? "image" : (type == "input_audio" ? "audio" : "video");
      return tl::make_unexpected(
          ApiError{500,
                   kind + " input is not supported - hint: if this is unexpected, you may need to "
                          "provide the mmproj",
                   "server_error", Json::object()});
    }
    if (type != "text") return BadRequest("unsupported content[].type");
    if (!part.contains("text")) {
      return tl::make_unexpected(
          ParseFailure("[json.exception.out_of_range.403] key 'text' not found"));
    }
    if (!text.empty()) text += '\n';
    text += part["text"].is_string() ? part["text"].get<std::string>() : std::string();
  }
  return text;
}

ApiResult<std::string> RoleOf(const Json& message) {
  if (!message.contains("role")) {
    return tl::make_unexpected(ParseFailure("Missing 'role' in message: " + Dump(message)));
  }
  if (!message["role"].is_string()) {
    return tl::make_unexpected(
        ParseFailure(fmt::format("[json.exception.type_error.302] type must be string, but is {}",
                                 message["role"].type_name())));
  }
  return message["role"].get<std::string>();
}

struct Message {
  std::string role;
  std::string content;
};

ApiResult<std::vector<Message>> ParseMessages(const Json& messages) {
  std::vector<Message> parsed;
  // Contents are checked for all messages before any role is: the order in which errors show.
  for (const Json& message : messages) {
    const bool assistant = message.is_object() && message.contains("role") &&
                           message["role"].is_string() && message["role"] == "assistant";
    if (!assistant && (!message.is_object() || !message.contains("content"))) {
      return BadRequest("All non-assistant messages must contain 'content'");
    }
    auto text = ContentText(message.contains("content") ? message["content"] : Json());
    if (!text) return tl::make_unexpected(std::move(text.error()));
    parsed.push_back({std::string(), std::move(*text)});
  }
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    auto role = RoleOf(messages[i]);
    if (!role) return tl::make_unexpected(std::move(role.error()));
    parsed[i].role = std::move(*role);
  }
  return parsed;
}

}  // namespace

ApiResult<std::vector<Tokens>> ParsePrompts(const Json& prompt) {
  std::vector<Tokens> prompts;
  const bool list = prompt.is_array() && !IsTokenList(prompt) && !IsMixed(prompt);
  const Json single = Json::array({list ? Json() : prompt});
  for (const Json& value : list ? prompt : single) {
    auto tokens = OnePrompt(value);
    if (!tokens) return tl::make_unexpected(std::move(tokens.error()));
    prompts.push_back(std::move(*tokens));
  }
  if (prompts.empty()) return BadRequest("\"prompt\" must not be empty");
  for (const Tokens& tokens : prompts) {
    for (const TokenId id : tokens) {
      if (!IsToken(id)) return BadRequest("Prompt contains invalid tokens");
    }
  }
  return prompts;
}

ApiResult<ChatPrompt> ApplyTemplate(const Json& body) {
  if (!body.is_object() || !body.contains("messages")) {
    return BadRequest("'messages' is required");
  }
  if (!body["messages"].is_array()) return BadRequest("Expected 'messages' to be an array");
  if (body.contains("tools") && !body["tools"].is_null() && !body["tools"].is_array()) {
    const std::string tools = Dump(body["tools"]);
    return tl::make_unexpected(
        ApiError{500,
                 fmt::format("Failed to parse tools: Expected 'tools' to be an array, got {}; "
                             "tools = {}",
                             tools, tools),
                 "server_error", Json::object()});
  }
  if (body.contains("response_format") && body["response_format"].is_object()) {
    const Json& format = body["response_format"];
    const std::string type = format.contains("type") && format["type"].is_string()
                                 ? format["type"].get<std::string>()
                                 : std::string();
    if (!type.empty() && type != "text" && type != "json_object" && type != "json_schema") {
      return BadRequest(
          "response_format type must be one of \"text\" or \"json_object\", but got: " + type);
    }
  }
  auto messages = ParseMessages(body["messages"]);
  if (!messages) return tl::make_unexpected(std::move(messages.error()));
  ChatPrompt prompt;
  const std::size_t count = messages->size();
  const bool prefill = count > 0 && messages->back().role == "assistant";
  if (prefill && count > 1 && (*messages)[count - 2].role == "assistant") {
    return BadRequest("Cannot have 2 or more assistant messages at the end of the list.");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Message& message = (*messages)[i];
    if (prefill && i + 1 == count) {
      prompt.prefill = message.content;
      prompt.text += message.content;
    } else {
      prompt.text += fmt::format("[{}] {}", message.role, message.content);
    }
  }
  return prompt;
}

ApiResult<Tokens> TokeniseContent(const Json& content, bool add_special, bool parse_special) {
  if (content.is_string()) {
    return Tokenise(content.get_ref<const std::string&>(), add_special, parse_special);
  }
  if (!content.is_array()) {
    return BadRequest(fmt::format("[json.exception.type_error.302] type must be string, but is {}",
                                  content.type_name()));
  }
  Tokens tokens;
  bool first = true;
  for (const Json& item : content) {
    if (item.is_string()) {
      const Tokens part =
          Tokenise(item.get_ref<const std::string&>(), add_special && first, parse_special);
      tokens.insert(tokens.end(), part.begin(), part.end());
    } else {
      const auto id = item.get<std::int64_t>();
      tokens.push_back(IsToken(id) ? static_cast<TokenId>(id) : TokenId{-1});
    }
    first = false;
  }
  return tokens;
}

}  // namespace mock
