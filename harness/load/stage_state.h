// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "backend/base/clock.h"
#include "harness/load/stage_runner.h"

namespace harness {

// What the load threads of one stage share, and how they report. Thread-safe.
struct StageState {
  explicit StageState(const StagePlanInput& plan) : input(plan) {}

  const StagePlanInput& input;
  rocm::TimePoint begin{};
  std::optional<rocm::TimePoint> starting_ends;
  std::atomic<StageOrder> order{StageOrder::kRun};
  std::atomic<std::int64_t> next_index{0};
  std::atomic<std::int64_t> started{0};
  std::atomic<std::int64_t> finished{0};
  std::atomic<std::int64_t> failed{0};
  std::atomic<std::int64_t> tokens{0};
  std::atomic<std::int64_t> chunks{0};
  std::atomic<std::int64_t> last_start_ns{0};
  std::atomic<std::int64_t> cpu_ns{0};
  std::mutex mutex;
  std::condition_variable changed;
  int running_threads = 0;
  double busiest = 0;

  [[nodiscard]] bool may_start() const {
    return order.load(std::memory_order_relaxed) == StageOrder::kRun &&
           (!starting_ends || rocm::Now() < *starting_ends);
  }
  // A block of `n` indices, or fewer at the end; 0 when all have been given out.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> TakeIndices(std::int64_t n) {
    const std::int64_t first = next_index.fetch_add(n, std::memory_order_relaxed);
    const auto& limit = input.stage->requests;
    return {first, limit ? std::clamp<std::int64_t>(*limit - first, 0, n) : n};
  }
};

}  // namespace harness
