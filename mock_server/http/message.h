// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mock {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // without "?"
  Headers headers;    // names in lower case
  std::string body;
  bool keep_alive = true;  // what the client wants
  std::string peer;        // "127.0.0.1:4711" or "unix"

  // "" when absent.
  [[nodiscard]] std::string_view Header(std::string_view lower_name) const;
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json; charset=utf-8";
  Headers extra;  // shown before Content-Type
};

[[nodiscard]] std::string_view StatusText(int status);

// The header block of an answer in llama-server's order, with its blank line. Errors always close.
// `body_size` < 0: chunked, an event stream.
struct HeadOptions {
  std::string_view origin;
  bool keep_alive = true;
  bool is_head = false;  // of a HEAD request
};
[[nodiscard]] std::string ReplyHead(const HttpReply& reply, const HeadOptions& options);
[[nodiscard]] std::string StreamHead(const HeadOptions& options);

// One HTTP chunk.
[[nodiscard]] std::string ChunkOf(std::string_view payload);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace mock
