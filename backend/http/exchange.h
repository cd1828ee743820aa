// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "backend/error.h"
#include "backend/http/control_client.h"
#include "backend/http/endpoint.h"
#include "backend/http/stream_types.h"

namespace rocm::http {

struct CallRequest {
  std::string method = "GET";
  std::string path;
  std::string body;  // JSON; sent unless the method is GET
  std::chrono::milliseconds deadline{5'000};
  std::size_t max_body_bytes = 16U << 20;
};

// One plain call as a coroutine; what ControlClient runs. Never throws. Spawn it on an io_context
// that one thread runs.
[[nodiscard]] boost::asio::awaitable<Result<Reply>> Call(
    Endpoint endpoint, CallRequest request, std::shared_ptr<StreamCanceller> canceller = nullptr);

}  // namespace rocm::http
