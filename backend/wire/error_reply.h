// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "backend/error.h"

namespace rocm::wire {

// What is needed of an HTTP answer to say what went wrong.
struct ErrorReply {
  int status = 0;
  std::string_view content_type = {};
  std::string_view body = {};  // as much of it as was read
  std::string_view retry_after = {};
  std::string_view location = {};
};

// Class, one-line message, status and whether trying again may help. Any body will do: llama-server
// and OpenAI JSON, other JSON, HTML, empty, truncated, hostile.
[[nodiscard]] Error ErrorFromReply(const ErrorReply& reply);

// The same for an error event in mid-stream: `{"error": {…}}`, `{"error": "…"}`, a bare
// `{"code":…,"message":…}`, or no JSON at all. http_status is the event's own `code`, if it is one.
[[nodiscard]] Error ErrorFromEvent(std::string_view data);

// The class of an error by HTTP status, error type and message: the status alone, where the others
// are empty; 0 where there was no status.
[[nodiscard]] ErrorCode ClassifyError(int status, std::string_view type, std::string_view message);

// Whether the same call may succeed later without any change by the caller.
[[nodiscard]] bool IsRetryable(ErrorCode code, int status);

// An error whose `retryable` follows from its class.
[[nodiscard]] Error MakeError(ErrorCode code, std::string message);

// Makes foreign text fit for a message: one line, valid UTF-8, no control characters, at most
// `max_bytes`.
[[nodiscard]] std::string OneLine(std::string_view text, std::size_t max_bytes = 300);

}  // namespace rocm::wire
