// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/base/clock.h"
#include "backend/error.h"
#include "backend/model.h"
#include "backend/wire/completion_delta.h"

namespace rocm::http {

struct StreamRequest {
  wire::Api api = wire::Api::kNative;
  std::string body;  // JSON with "stream": true
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds stall_timeout{300'000};  // between any two bytes; 0: none
  std::chrono::milliseconds deadline{0};             // of the whole exchange; 0: none
  // Bounds on what a server may make us hold or read.
  std::size_t max_event_bytes = 2U << 20;
  std::uint64_t max_stream_bytes = 4ULL << 30;
};

// All on CLOCK_MONOTONIC; zero where the moment never came.
struct StreamTimes {
  TimePoint connect_started{};
  TimePoint connected{};
  TimePoint sent{};        // the last request byte was handed to the kernel
  TimePoint first_byte{};  // of the response; says little: headers come before the first token
  TimePoint finished{};    // the read that completed the stream, or its failure
};

struct StreamEnd {
  // Empty when the stream ended with its own end marker.
  std::optional<Error> error;
  StreamTimes times;
  int http_status = 0;
  Completion completion;  // what was known at the end, also after an error
  int tokens = 0;         // generated, by the best source
  wire::TokenSource token_source = wire::TokenSource::kNone;
  std::int64_t events = 0;
};

// Called for each event in order, on the coroutine's executor. `at` was taken right after the read
// that completed the event; events of one read share it, and `coalesced` is then true for all but
// the first. The delta is valid during the call. Return false to end the stream with kCancelled.
using DeltaSink =
    std::function<bool(const wire::CompletionDelta& delta, TimePoint at, bool coalesced)>;

// A way to end a stream from outside, with the reason that it shall report (kCancelled, kClosed).
// The connection closes at once, whatever the stream's own thread is doing. The first reason wins.
// Thread-safe; safe before the stream starts and after it ended.
class StreamCanceller {
 public:
  StreamCanceller();
  ~StreamCanceller();
  StreamCanceller(const StreamCanceller&) = delete;
  StreamCanceller& operator=(const StreamCanceller&) = delete;
  void Cancel(ErrorCode reason);

  [[nodiscard]] bool cancelled() const;

  class State;
  [[nodiscard]] const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace rocm::http
