// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "backend/base/clock.h"
#include "backend/error.h"
#include "backend/http/endpoint.h"

namespace rocm::llama_server {

// What AwaitReady() asks while it waits.
struct ReadinessSource {
  // Where to ask for /health; empty while nobody knows (the port has not been logged yet).
  std::function<std::optional<http::Endpoint>()> endpoint;
  // Waits at most so long; true as soon as the process has ended.
  std::function<bool(std::chrono::milliseconds)> wait_exited;
  // When the process last showed a sign of life: wrote to its log, or read from storage.
  std::function<TimePoint()> last_activity;
};

struct ReadinessOptions {
  std::chrono::milliseconds stall_timeout{120'000};
  std::chrono::milliseconds load_timeout{600'000};
  std::stop_token stop;
  // After each look that found it still loading. May be empty.
  std::function<void()> on_waiting;
};

// Polls /health until the answer is 200, every 5 ms at first and every 100 ms in the end.
// kServerExited when the process ends first (the caller knows more), kStartTimeout after
// stall_timeout without a sign of life or after load_timeout, kCancelled.
[[nodiscard]] Result<http::Endpoint> AwaitReady(const ReadinessSource& source,
                                                const ReadinessOptions& options);

// Proves that what answers at `endpoint` is the server that was given this alias and the
// endpoint's key: kWrongServer if not. An empty alias or key is not asked for.
[[nodiscard]] Result<void> ProveIdentity(const http::Endpoint& endpoint, const std::string& alias,
                                         std::stop_token stop = {});

}  // namespace rocm::llama_server
