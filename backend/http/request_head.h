// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "backend/error.h"
#include "backend/http/endpoint.h"

namespace rocm::http {

// The head of a request, up to and with its empty line. kInvalidArgument where a part could break
// out of its line.
[[nodiscard]] Result<std::string> RequestHead(std::string_view method, const Endpoint& endpoint,
                                              std::string_view path, std::string_view accept,
                                              std::size_t body_bytes);

// Removes the endpoint's key from text that a server wrote, before anyone prints it.
void RedactKey(const Endpoint& endpoint, std::string& text);

}  // namespace rocm::http
