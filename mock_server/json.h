// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mock {

// Keeps the order of keys: clients see the same bytes as from llama-server.
using Json = nlohmann::ordered_json;

// Compact; invalid UTF-8 becomes U+FFFD, as in llama-server.
[[nodiscard]] inline std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mock
