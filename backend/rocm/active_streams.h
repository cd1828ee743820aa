// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <mutex>
#include <set>

#include "backend/error.h"
#include "backend/http/blocking_stream.h"

namespace rocm {

// The streams that run on one model, so that closing it can end them. Thread-safe.
class ActiveStreams {
 public:
  // False, and nothing is added, once CloseAll() was called. The stream must be removed before it
  // is destroyed.
  [[nodiscard]] bool Add(http::BlockingStream* stream);
  void Remove(http::BlockingStream* stream);
  // Ends every stream with `reason` and refuses new ones.
  void CloseAll(ErrorCode reason);
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::set<http::BlockingStream*> streams_;
  bool closed_ = false;
};

}  // namespace rocm
