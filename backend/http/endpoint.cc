// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/endpoint.h"

#include <algorithm>
#include <charconv>

#include "backend/wire/error_reply.h"

namespace rocm::http {
namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kMaxUnixPath = 107;  // sockaddr_un, less its NUL

tl::unexpected<Error> Bad(std::string_view url, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              "\"" + wire::OneLine(url, 120) + "\" is not an endpoint: " + std::string(why));
}

bool IsClean(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) == 0x7F;
  });
}

Result<std::uint16_t> ParsePort(std::string_view url, std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    return Bad(url, "the port must be a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

Result<Endpoint> ParseUnix(std::string_view url) {
  Endpoint endpoint;
  endpoint.unix_path = url.substr(kUnix.size());
  if (endpoint.unix_path.empty()) return Bad(url, "the path of the socket is missing");
  if (endpoint.unix_path.size() > kMaxUnixPath) {
    return Bad(url, "the path of a socket can have 107 bytes at most");
  }
  if (endpoint.unix_path.find('\0') != std::string::npos) return Bad(url, "it holds a NUL");
  return endpoint;
}

}  // namespace

std::string Endpoint::ToString() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + base_path;
}

Result<Endpoint> ParseEndpoint(std::string_view url) {
  if (url.starts_with(kUnix)) return ParseUnix(url);
  if (url.starts_with("https://")) {
    return Bad(url, "https is not supported; use a plain http:// URL, or a local TLS proxy");
  }
  if (!url.starts_with(kHttp)) {
    return Bad(url, "it must be http://HOST[:PORT][/BASE] or unix:PATH");
  }
  if (!IsClean(url)) return Bad(url, "it holds blanks or control characters");
  std::string_view rest = url.substr(kHttp.size());
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  Endpoint endpoint;
  if (slash != std::string_view::npos) {
    std::string_view base = rest.substr(slash);
    if (base.find_first_of("?#") != std::string_view::npos) {
      return Bad(url, "a query or fragment has no meaning here");
    }
    while (base.ends_with('/')) base.remove_suffix(1);
    endpoint.base_path = base;
  }
  if (authority.find_first_of("@?#") != std::string_view::npos) {
    return Bad(url, "user names, queries and fragments have no meaning here");
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return Bad(url, "']' is missing");
    endpoint.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    if (!port.empty() && port.front() != ':') return Bad(url, "']' must end the host");
  } else {
    const std::size_t colon = authority.find(':');
    endpoint.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (endpoint.host.empty()) return Bad(url, "the host is missing");
  endpoint.port = 80;
  if (!port.empty()) {
    const auto number = ParsePort(url, port.substr(1));
    if (!number) return Fail(number.error());
    endpoint.port = *number;
  }
  return endpoint;
}

}  // namespace rocm::http
