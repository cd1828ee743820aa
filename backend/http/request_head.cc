// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/request_head.h"

#include <algorithm>

namespace rocm::http {
namespace {

bool IsOneLine(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

Result<std::string> RequestHead(std::string_view method, const Endpoint& endpoint,
                                std::string_view path, std::string_view accept,
                                std::size_t body_bytes) {
  for (const std::string_view part :
       {std::string_view(endpoint.host), std::string_view(endpoint.base_path),
        std::string_view(endpoint.api_key), path}) {
    if (!IsOneLine(part)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the host, path or key of a request holds control characters");
    }
  }
  if (!path.starts_with('/') || path.find(' ') != std::string_view::npos ||
      endpoint.base_path.find(' ') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "the path of a request must be /…, without blanks");
  }
  std::string head;
  head.reserve(256);
  head.append(method).append(" ").append(endpoint.base_path).append(path);
  // llama-server wants a Host on Unix sockets too.
  head += " HTTP/1.1\r\nHost: ";
  if (!endpoint.unix_path.empty()) {
    head += "localhost";
  } else {
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    head += v6 ? "[" + endpoint.host + "]" : endpoint.host;
    head += ":" + std::to_string(endpoint.port);
  }
  head.append("\r\nAccept: ").append(accept);
  if (!endpoint.api_key.empty()) head += "\r\nAuthorization: Bearer " + endpoint.api_key;
  if (method != "GET") {
    head += "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body_bytes);
  }
  // One connection, one request: an idle connection would hold one of the server's threads.
  head += "\r\nConnection: close\r\n\r\n";
  return head;
}

void RedactKey(const Endpoint& endpoint, std::string& text) {
  if (endpoint.api_key.empty()) return;
  for (std::size_t at = 0; (at = text.find(endpoint.api_key, at)) != std::string::npos;) {
    text.replace(at, endpoint.api_key.size(), "***");
    at += 3;
  }
}

}  // namespace rocm::http
