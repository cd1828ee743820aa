// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/http/message.h"

#include <fmt/compile.h>
#include <fmt/format.h>

namespace mock {
namespace {

constexpr std::string_view kKeepAlive = "Keep-Alive: timeout=5, max=100\r\n";
constexpr std::string_view kClose = "Connection: close\r\n";

std::string Common(int status, std::string_view origin) {
  return fmt::format("HTTP/1.1 {} {}\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: {}\r\n",
                     status, StatusText(status), origin);
}

}  // namespace

std::string_view HttpRequest::Header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

std::string_view StatusText(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 408: return "Request Timeout";
    case 413: return "Payload Too Large";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Unknown";
  }
}

std::string ReplyHead(const HttpReply& reply, const HeadOptions& options) {
  std::string head = Common(reply.status, options.origin);
  for (const auto& [name, value] : reply.extra) {
    fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
  }
  fmt::format_to(std::back_inserter(head), "Content-Type: {}\r\nContent-Length: {}\r\n",
                 reply.content_type, reply.body.size());
  head += options.keep_alive && reply.status < 400 ? kKeepAlive : kClose;
  if (options.is_head) head += "Accept-Ranges: bytes\r\n";
  head += "\r\n";
  return head;
}

std::string StreamHead(const HeadOptions& options) {
  std::string head = Common(200, options.origin);
  head +=
      "X-Accel-Buffering: no\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";
  head += options.keep_alive ? kKeepAlive : kClose;
  head += "\r\n";
  return head;
}

std::string ChunkOf(std::string_view payload) {
  return fmt::format(FMT_COMPILE("{:x}\r\n{}\r\n"), payload.size(), payload);
}

}  // namespace mock
