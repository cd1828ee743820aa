// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>

#include "backend/error.h"
#include "backend/http/endpoint.h"
#include "backend/http/stream_types.h"

namespace rocm::http {

struct StreamEvent {
  wire::CompletionDelta delta;
  TimePoint at{};
  bool coalesced = false;  // came in the same read as the event before
};

// StreamCompletion for a caller that blocks: the same coroutine, run on the thread that calls
// Next() and only while it is called, so that no more than one read's events are ever buffered.
// Nothing is sent before the first Next(). One thread at a time, except Cancel().
class BlockingStream {
 public:
  BlockingStream(Endpoint endpoint, StreamRequest request);
  // Cancels: the connection closes at once.
  ~BlockingStream();
  BlockingStream(const BlockingStream&) = delete;
  BlockingStream& operator=(const BlockingStream&) = delete;

  // Blocks until the next event; nullptr at the end, good or bad. Valid until the next call.
  [[nodiscard]] const StreamEvent* Next();

  // Reads and drops what is left, then says how it ended. May be called again: same answer.
  [[nodiscard]] const StreamEnd& End();

  // From any thread: the connection closes at once; a blocked Next() returns nullptr, events that
  // were already decoded are dropped, and End() reports `reason`.
  void Cancel(ErrorCode reason = ErrorCode::kCancelled);

 private:
  class Runner;
  std::unique_ptr<Runner> runner_;
};

}  // namespace rocm::http
