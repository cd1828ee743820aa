// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "backend/config.h"
#include "backend/error.h"
#include "backend/wire/completion_delta.h"

namespace rocm::wire {

// What to complete: text, token ids (native and completion), or a conversation (chat).
using Prompt =
    std::variant<std::string_view, std::span<const std::int32_t>, std::span<const Message>>;

struct RequestOptions {
  bool stream = true;
  // The `model` field, for servers that serve several; empty: not sent.
  std::string model = {};
  // Ids in /v1/completions through llama-server's `verbose`.
  bool verbose = false;
  // Prompt progress events.
  bool return_progress = false;
  // False for servers that are not llama-server: nothing but OpenAI's own fields is sent.
  bool llama_server = true;
};

// The JSON body of a request. Everything is set explicitly, so that no default of the server slips
// in. `stop_tokens`, the deadlines and the stop token are the client's own affair and not sent.
// kInvalidArgument: a prompt that the Api does not take, invalid UTF-8, numbers out of range or not
// finite, an empty stop string, grammar and JSON schema at once, or a schema that is not JSON.
[[nodiscard]] Result<std::string> BuildRequest(Api api, const Prompt& prompt,
                                               const GenerateConfig& config,
                                               const RequestOptions& options = {});

// The body of /apply-template.
[[nodiscard]] Result<std::string> BuildApplyTemplate(std::span<const Message> messages);
// The body of /tokenize.
[[nodiscard]] Result<std::string> BuildTokenize(std::string_view text, bool add_special = true,
                                                bool parse_special = true);
// The body of /detokenize.
[[nodiscard]] std::string BuildDetokenize(std::span<const std::int32_t> ids);

}  // namespace rocm::wire
