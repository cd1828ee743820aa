// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>

#include "backend/error.h"
#include "backend/http/endpoint.h"

namespace rocm::http {

struct CallOptions {
  // Of the whole call, whatever the server does.
  std::chrono::milliseconds deadline{5'000};
  // A longer body fails with kLimitExceeded.
  std::size_t max_body_bytes = 16U << 20;
  // Ends the call with kCancelled.
  std::stop_token cancel;
};

struct Reply {
  int status = 0;
  std::string content_type;
  std::string server;  // the Server header: "llama.cpp"
  std::string retry_after;
  std::string location;
  std::string body;

  [[nodiscard]] bool ok() const { return status >= 200 && status < 300; }
};

// Plain request/response calls (health, props, slots, tokenise), each on a connection of its own,
// bounded in time and memory whatever the server does. Blocking; thread-safe.
class ControlClient {
 public:
  explicit ControlClient(Endpoint endpoint);

  // Any complete HTTP answer is a Reply, whatever its status; an Error means that there was none:
  // kConnectionRefused, kConnectionReset, kTruncated, kProtocol, kLimitExceeded,
  // kDeadlineExceeded, kCancelled.
  [[nodiscard]] Result<Reply> Get(std::string_view path, const CallOptions& options = {}) const;
  [[nodiscard]] Result<Reply> Post(std::string_view path, std::string_view json,
                                   const CallOptions& options = {}) const;

  // The same, where any answer but 2xx is an error of its class (503: kUnavailable).
  [[nodiscard]] Result<Reply> GetOk(std::string_view path, const CallOptions& options = {}) const;
  [[nodiscard]] Result<Reply> PostOk(std::string_view path, std::string_view json,
                                     const CallOptions& options = {}) const;

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  Endpoint endpoint_;
};

}  // namespace rocm::http
