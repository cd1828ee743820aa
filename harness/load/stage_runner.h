// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "backend/error.h"
#include "backend/http/endpoint.h"
#include "harness/load/request_factory.h"
#include "harness/measure/request_record.h"
#include "harness/scenario/stage.h"

namespace harness {

// What one request was and how it ended. The record still has to learn why its server died, and the
// hash of its text.
struct FinishedRequest {
  RequestRecord record;
  std::optional<rocm::Error> error;
  int output_tokens = 0;  // as asked for
  bool exact_output = false;
  int prompt_tokens = -1;  // as expected; -1: not known
  std::optional<std::int32_t> chain_last;
};

struct StageProgress {
  std::int64_t started = 0;
  std::int64_t finished = 0;
  std::int64_t failed = 0;
  std::int64_t tokens = 0;  // seen so far
  std::chrono::nanoseconds elapsed{0};
};

// kDrain: start no more, let what runs finish. kCancel: end what runs, too.
enum class StageOrder { kRun, kDrain, kCancel };

struct StagePlanInput {
  const Stage* stage = nullptr;
  const RequestFactory* factory = nullptr;
  rocm::http::Endpoint endpoint;
  std::string scenario;
  std::string variant;
  int round = 0;
  // Threads that drive streams, each with an event loop of its own; 0: by the number of streams.
  int threads = 0;
  // On a load thread, in no particular order: be quick, and thread-safe.
  std::function<void(FinishedRequest&&)> on_finished;
  // On a load thread, both may be empty: a request is about to be sent; a stream has got a chunk,
  // and this many tokens so far.
  std::function<void()> on_started = {};
  std::function<void(std::int64_t tokens)> on_tokens = {};
  // On the calling thread, at every tick.
  std::function<StageOrder(const StageProgress&)> on_tick;
  std::chrono::milliseconds tick{50};
};

struct StageOutcome {
  std::int64_t started = 0;
  std::int64_t begin_ns = 0;
  std::int64_t last_start_ns = 0;  // when the last request was due
  std::int64_t end_ns = 0;
  double offered_per_s = 0;  // open loop: of the requests that were due
  // CPU time of the load threads; `busiest` is the largest share of its time that one of them was
  // working: near 1, the instrument was the bottleneck.
  std::chrono::nanoseconds cpu{0};
  double busiest = 0;
  int threads = 0;
  std::int64_t chunks = 0;
  bool cut_short = false;  // by an order
};

// Drives one stage to its end; blocks. Every request that was started is reported, whatever became
// of it.
[[nodiscard]] StageOutcome RunStage(const StagePlanInput& input);

// How many load threads that many streams get on this machine.
[[nodiscard]] int LoadThreads(int streams);

}  // namespace harness
