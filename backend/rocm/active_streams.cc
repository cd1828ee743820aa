// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/active_streams.h"

namespace rocm {

bool ActiveStreams::Add(http::BlockingStream* stream) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  streams_.insert(stream);
  return true;
}

void ActiveStreams::Remove(http::BlockingStream* stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

// Cancelling under the lock is what keeps a stream alive meanwhile: its owner waits in Remove().
void ActiveStreams::CloseAll(ErrorCode reason) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (http::BlockingStream* stream : streams_) stream->Cancel(reason);
}

std::size_t ActiveStreams::size() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

}  // namespace rocm
