// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/error.h"

namespace rocm::http {

// Where a server listens. A Unix socket when `unix_path` is set, else TCP.
struct Endpoint {
  std::string host = {};
  std::uint16_t port = 0;
  std::string unix_path = {};
  std::string base_path = {};  // prefix of every request path, without a trailing slash
  std::string api_key = {};    // sent as "Authorization: Bearer …" when not empty; never printed

  [[nodiscard]] std::string ToString() const;  // "http://127.0.0.1:8080" or "unix:/run/x.sock"
};

// "http://HOST[:PORT][/BASE]" or "unix:PATH". https is refused with a message that says so.
[[nodiscard]] Result<Endpoint> ParseEndpoint(std::string_view url);

}  // namespace rocm::http
