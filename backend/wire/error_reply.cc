// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/error_reply.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "backend/wire/json.h"

namespace rocm::wire {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// What a body says about an error, in any of the usual forms.
struct ErrorText {
  std::string message;
  std::string type;
  int code = 0;
  bool found = false;
};

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
  return out;
}

bool ContainsAny(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  });
}

void ReadMembers(object block, ErrorText& out) {
  for (const auto field : block) {
    if (field.key == "message" || field.key == "detail" || field.key == "msg") {
      if (out.message.empty() && Read(field.value, out.message)) out.found = true;
    } else if (field.key == "type") {
      (void)Read(field.value, out.type);
    } else if (field.key == "code") {
      // OpenAI puts a word here, llama-server the status.
      std::string word;
      if (Read(field.value, word)) {
        out.type += out.type.empty() ? word : " " + word;
      } else {
        (void)Read(field.value, out.code);
      }
      out.found = true;
    }
  }
}

ErrorText ReadErrorText(std::string_view body) {
  ErrorText out;
  element root;
  object block;
  if (ParseJson(body, root) != simdjson::SUCCESS) return out;
  if (root.get_object().get(block) != simdjson::SUCCESS) return out;
  element error;
  object inner;
  array details;
  if (block["error"].get(error) == simdjson::SUCCESS && !error.is_null()) {
    out.found = true;
    if (error.get_object().get(inner) == simdjson::SUCCESS) {
      ReadMembers(inner, out);
    } else {
      (void)Read(error, out.message);
    }
    if (!out.message.empty()) return out;
  }
  ReadMembers(block, out);
  // FastAPI's validation errors are a list.
  if (out.message.empty() && block["detail"].get_array().get(details) == simdjson::SUCCESS &&
      details.size() > 0 && details.at(0).get_object().get(inner) == simdjson::SUCCESS) {
    ReadMembers(inner, out);
  }
  return out;
}

// The title of an HTML page, which is where proxies put their message.
std::string_view HtmlTitle(std::string_view body) {
  const std::string lower = Lower(body.substr(0, 4096));
  const std::size_t open = lower.find("<title>");
  if (open == std::string::npos) return {};
  const std::size_t start = open + 7;
  const std::size_t end = lower.find("</title>", start);
  return end == std::string::npos ? std::string_view{} : body.substr(start, end - start);
}

bool IsHtml(std::string_view content_type, std::string_view body) {
  if (Lower(content_type).find("html") != std::string::npos) return true;
  const std::size_t start = body.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && body[start] == '<';
}

std::string DescribeBody(const ErrorReply& reply, const ErrorText& text) {
  if (!text.message.empty()) return ": " + OneLine(text.message);
  if (reply.body.empty()) return " with an empty body";
  if (IsHtml(reply.content_type, reply.body)) {
    const std::string title = OneLine(HtmlTitle(reply.body), 120);
    return title.empty() ? " with an HTML page" : " with an HTML page: " + title;
  }
  return ": " + OneLine(reply.body, 160);
}

ErrorCode ClassifyStatus(int status) {
  if (status >= 300 && status < 400) return ErrorCode::kRedirected;
  if (status == 401 || status == 403) return ErrorCode::kUnauthorised;
  if (status == 429) return ErrorCode::kRateLimited;
  if (status == 503) return ErrorCode::kUnavailable;
  if (status >= 400 && status < 500) return ErrorCode::kBadRequest;
  if (status >= 500 && status < 600) return ErrorCode::kServerError;
  return ErrorCode::kProtocol;
}

// Error types that stand for a status, for events that carry no code.
int StatusOfType(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, int>, 8> kTypes{{
      {"invalid_request_error", 400},
      {"badrequesterror", 400},
      {"authentication_error", 401},
      {"permission_error", 403},
      {"not_found_error", 404},
      {"rate_limit", 429},
      {"unavailable_error", 503},
      {"overloaded", 503},
  }};
  for (const auto& [name, status] : kTypes) {
    if (type.find(name) != std::string_view::npos) return status;
  }
  return 0;
}

}  // namespace

ErrorCode ClassifyError(int status, std::string_view type, std::string_view message) {
  const std::string said = Lower(type) + " " + Lower(message);
  const bool plain_failure = status == 0 || status == 400 || status == 413 || status == 422 ||
                             (status >= 500 && status != 503);
  if (plain_failure) {
    if (ContainsAny(said, {"exceed_context_size", "context_length_exceeded", "context size",
                           "context length", "context window", "maximum context"})) {
      return ErrorCode::kContextExceeded;
    }
    if (ContainsAny(said, {"out of memory", "outofmemory", "failed to allocate"})) {
      return ErrorCode::kOutOfMemory;
    }
  }
  if (status == 0) {
    const int meant = StatusOfType(Lower(type));
    return meant == 0 ? ErrorCode::kServerError : ClassifyStatus(meant);
  }
  return ClassifyStatus(status);
}

bool IsRetryable(ErrorCode code, int status) {
  switch (code) {
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kConnectionRefused:
    case ErrorCode::kConnectionReset:
    case ErrorCode::kTruncated:
    case ErrorCode::kStalled: return true;
    case ErrorCode::kServerError:
      return status == 0 || status == 500 || status == 502 || status == 504;
    case ErrorCode::kBadRequest: return status == 408 || status == 425;
    default: return false;
  }
}

Error MakeError(ErrorCode code, std::string message) {
  Error error;
  error.code = code;
  error.message = std::move(message);
  error.retryable = IsRetryable(code, 0);
  return error;
}

Error ErrorFromReply(const ErrorReply& reply) {
  const ErrorText text = ReadErrorText(reply.body);
  Error error;
  error.http_status = reply.status;
  error.code = ClassifyError(reply.status, text.type, text.message);
  error.retryable = IsRetryable(error.code, reply.status);
  error.message = "the server answered " + std::to_string(reply.status);
  if (error.code == ErrorCode::kRedirected) {
    error.message += " (a redirect, which is not followed)";
    if (!reply.location.empty()) error.message += " to " + OneLine(reply.location, 160);
    return error;
  }
  error.message += DescribeBody(reply, text);
  if (!reply.retry_after.empty()) {
    error.message += "; it asks to retry after " + OneLine(reply.retry_after, 40);
  }
  return error;
}

Error ErrorFromEvent(std::string_view data) {
  const ErrorText text = ReadErrorText(data);
  Error error;
  const bool is_status = text.code >= 400 && text.code < 600;
  error.http_status = is_status ? text.code : 0;
  error.code = ClassifyError(error.http_status, text.type, text.message);
  // A cache that several streams share was full: alone, the same call may fit.
  const bool shared_cache_full =
      error.code == ErrorCode::kContextExceeded && error.http_status >= 500;
  error.retryable = shared_cache_full || IsRetryable(error.code, error.http_status);
  error.message = "the server reported in mid-stream: " +
                  (text.message.empty() ? OneLine(data, 160) : OneLine(text.message));
  return error;
}

std::string OneLine(std::string_view text, std::size_t max_bytes) {
  // Cut before repairing: what comes is not bounded.
  const bool cut = text.size() > max_bytes;
  if (cut) {
    while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0U) == 0x80U) {
      --max_bytes;
    }
  }
  const std::string valid = RepairUtf8(text.substr(0, max_bytes));
  std::string out;
  out.reserve(valid.size());
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const auto c = static_cast<unsigned char>(valid[i]);
    const bool c1 =
        c == 0xC2 && i + 1 < valid.size() && static_cast<unsigned char>(valid[i + 1]) < 0xA0;
    if (c1) ++i;
    if (c < 0x20 || c == 0x7F || c1) {
      if (!out.empty() && out.back() != ' ') out.push_back(' ');
    } else {
      out.push_back(valid[i]);
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  if (cut) out += "…";
  return out;
}

}  // namespace rocm::wire
