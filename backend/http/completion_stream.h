// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "backend/http/endpoint.h"
#include "backend/http/stream_types.h"

namespace rocm::http {

// One streamed completion from connect to close, on a connection of its own. Never throws: every
// failure is in StreamEnd::error. The connection is closed when it returns. Spawn it on an
// io_context that one thread runs; any number of streams may share it.
[[nodiscard]] boost::asio::awaitable<StreamEnd> StreamCompletion(
    Endpoint endpoint, StreamRequest request, DeltaSink sink,
    std::shared_ptr<StreamCanceller> canceller = nullptr);

}  // namespace rocm::http
