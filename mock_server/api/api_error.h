// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "mock_server/json.h"

namespace mock {

// An answer other than 200, in llama-server's shape.
struct ApiError {
  int status = 400;
  std::string message;
  std::string type = "invalid_request_error";
  Json extra = Json::object();  // further members of "error"

  // {"error":{"code":…,"message":…,"type":…}}
  [[nodiscard]] std::string Body() const {
    Json error{{"code", status}, {"message", message}, {"type", type}};
    for (const auto& [key, value] : extra.items()) error[key] = value;
    return Dump(Json{{"error", std::move(error)}});
  }
};

template <typename T>
using ApiResult = tl::expected<T, ApiError>;

[[nodiscard]] inline tl::unexpected<ApiError> BadRequest(std::string message) {
  return tl::make_unexpected(
      ApiError{400, std::move(message), "invalid_request_error", Json::object()});
}

}  // namespace mock
