// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <vector>

#include "mock_server/api/api_error.h"
#include "mock_server/json.h"
#include "mock_server/text/vocabulary.h"

namespace mock {

// "prompt" of a completion: a string, token ids, a mixture, an object with "prompt_string", or a
// list of such. BOS is added in front of a text.
[[nodiscard]] ApiResult<std::vector<Tokens>> ParsePrompts(const Json& prompt);

// What a conversation looks like to the model.
struct ChatPrompt {
  std::string text;
  std::string prefill;  // of a last assistant message, which the answer continues
};

// Applies the chain model's template "[role] content…" after llama-server's checks.
[[nodiscard]] ApiResult<ChatPrompt> ApplyTemplate(const Json& body);

// Of /tokenize: a string, or a mixture of ids and strings.
[[nodiscard]] ApiResult<Tokens> TokeniseContent(const Json& content, bool add_special,
                                                bool parse_special);

inline constexpr const char* kChatTemplate =
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}";

}  // namespace mock
