// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>

#include "backend/base/clock.h"
#include "backend/http/stream_types.h"
#include "backend/wire/completion_delta.h"
#include "harness/load/request_factory.h"
#include "harness/load/stage_runner.h"
#include "harness/load/stage_state.h"

namespace harness {

// One request on the wire: its record, which is filled chunk by chunk. Belongs to one load thread.
class RequestInFlight {
 public:
  // `state` must outlive it.
  RequestInFlight(StageState& state, const RequestKey& key, const PreparedRequest& prepared);

  // The sink of its stream. Allocates nothing.
  bool OnDelta(const rocm::wire::CompletionDelta& delta, rocm::TimePoint at, bool coalesced);
  // `due`: when it was to be sent, in an open loop.
  void Finish(rocm::http::StreamEnd&& end, std::optional<rocm::TimePoint> due);

  FinishedRequest done;

 private:
  void OnNoText(const rocm::wire::CompletionDelta& delta, std::int64_t ns);
  void CountEnd(rocm::wire::TokenSource source);

  StageState& state_;
  // Tokens without text since the last chunk: part of a character, or the end of the answer.
  int pending_tokens_ = 0;
  std::int64_t stopped_ns_ = 0;  // when the server said that the model had ended
  std::int64_t seen_tokens_ = 0;
};

}  // namespace harness
