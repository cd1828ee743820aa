// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/stream_canceller.h"

#include <sys/socket.h>

#include "backend/wire/error_reply.h"

namespace rocm::http {

void StreamCanceller::State::Cancel(ErrorCode reason) {
  int none = kNone;
  reason_.compare_exchange_strong(none, static_cast<int>(reason));
  const std::lock_guard lock(mutex_);
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

std::optional<ErrorCode> StreamCanceller::State::reason() const {
  const int reason = reason_.load(std::memory_order_relaxed);
  if (reason == kNone) [[likely]] {
    return std::nullopt;
  }
  return static_cast<ErrorCode>(reason);
}

void StreamCanceller::State::Attach(int fd) {
  const std::lock_guard lock(mutex_);
  fd_ = fd;
  if (reason()) ::shutdown(fd_, SHUT_RDWR);
}

void StreamCanceller::State::Detach() {
  const std::lock_guard lock(mutex_);
  fd_ = -1;
}

Error CancellationError(ErrorCode reason) {
  return wire::MakeError(
      reason, reason == ErrorCode::kClosed ? "the model was closed" : "the call was cancelled");
}

StreamCanceller::StreamCanceller() : state_(std::make_shared<State>()) {}
StreamCanceller::~StreamCanceller() = default;
void StreamCanceller::Cancel(ErrorCode reason) { state_->Cancel(reason); }
bool StreamCanceller::cancelled() const { return state_->reason().has_value(); }

}  // namespace rocm::http
