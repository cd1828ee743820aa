// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <mutex>

#include "backend/llama_server/server.h"
#include "backend/rocm/active_streams.h"
#include "backend/rocm/applied_settings.h"
#include "backend/rocm/call_log.h"

namespace rocm {

// What a model and its streams share; streams may outlive the model. Thread-safe.
struct ModelCore {
  ActiveStreams streams;
  CallLog calls;

  // The server that new calls use: a restart puts another in its place, Close() takes it out.
  // Whoever holds the pointer keeps the (possibly dead) server's log and exit readable.
  [[nodiscard]] std::shared_ptr<llama_server::Server> server() const {
    const std::lock_guard lock(mutex_);
    return server_;
  }
  // What the latest server applied; stays when it is taken out.
  [[nodiscard]] Applied applied() const {
    const std::lock_guard lock(mutex_);
    return applied_;
  }
  void set_server(std::shared_ptr<llama_server::Server> server, Applied applied) {
    const std::lock_guard lock(mutex_);
    server_ = std::move(server);
    applied_ = std::move(applied);
  }
  void take_server() {
    const std::lock_guard lock(mutex_);
    server_ = nullptr;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<llama_server::Server> server_;
  Applied applied_;
};

}  // namespace rocm
