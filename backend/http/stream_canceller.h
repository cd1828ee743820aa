// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "backend/http/stream_types.h"

namespace rocm::http {

// Shared by a canceller and the connection that it may end. Ending is shutdown(2) on the socket:
// it works from any thread, wakes whatever waits for the socket, and needs no event loop.
class StreamCanceller::State {
 public:
  // The first reason wins.
  void Cancel(ErrorCode reason);
  [[nodiscard]] std::optional<ErrorCode> reason() const;

  // The connection's side. Between the two, Cancel() shuts `fd` down; Detach() comes before close.
  void Attach(int fd);
  void Detach();

 private:
  static constexpr int kNone = -1;
  std::atomic<int> reason_{kNone};
  std::mutex mutex_;
  int fd_ = -1;
};

// What a call that was ended for that reason reports.
[[nodiscard]] Error CancellationError(ErrorCode reason);

}  // namespace rocm::http
