// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "backend/base/clock.h"
#include "harness/scenario/experiments.h"

namespace harness {

// The signal of an action.
[[nodiscard]] int SignalOf(FaultAction action);

// Strikes one process once, at the moment that the stage reaches. Thread-safe.
class FaultTrigger {
 public:
  FaultTrigger(const FaultPlan& plan, pid_t pid);
  ~FaultTrigger();
  FaultTrigger(const FaultTrigger&) = delete;
  FaultTrigger& operator=(const FaultTrigger&) = delete;

  // A stream is about to be sent, or has so many tokens: from any thread. A prefill is struck half
  // way to the first token, as long as the first stream's took: so at the second one at the
  // earliest.
  void OnStarted();
  void OnTokens(std::int64_t tokens);
  // Where it was not known before: a server that is being loaded.
  void set_pid(pid_t pid) { pid_ = pid; }
  // Now, whatever the plan's moment. False where it was done before.
  bool Strike();

  // When it was done; 0: not yet.
  [[nodiscard]] std::int64_t struck_ns() const { return struck_ns_.load(); }

 private:
  const FaultPlan plan_;
  std::atomic<pid_t> pid_;
  std::atomic<bool> taken_{false};
  std::atomic<std::int64_t> struck_ns_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<rocm::TimePoint> first_start_;
  std::optional<rocm::Nanoseconds> first_token_;  // after it
  std::optional<rocm::TimePoint> due_;
  bool quit_ = false;
  std::thread timer_;  // prefill only
};

// Sees the end of a server, and the next one: stamps the moments when its descriptor becomes
// readable, and when `serves_again` (asked every millisecond from then on) is true.
class ExitWatch {
 public:
  // Target::exit_fd() and RestartProbe(): the target must live until this ends or is stopped.
  ExitWatch(int exit_fd, std::function<bool()> serves_again);
  ~ExitWatch();
  ExitWatch(const ExitWatch&) = delete;
  ExitWatch& operator=(const ExitWatch&) = delete;
  // Waits at most until then; 0 where it still runs.
  [[nodiscard]] std::int64_t Await(rocm::TimePoint deadline);
  // Looks at nothing any more.
  void Stop();
  // When another one served; 0: not seen yet.
  [[nodiscard]] std::int64_t served_ns() const { return served_ns_.load(); }

 private:
  void Watch();
  const int fd_;
  const std::function<bool()> serves_again_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t ended_ns_ = 0;
  std::atomic<std::int64_t> served_ns_{0};
  std::atomic<bool> quit_{false};
  std::thread thread_;
};

}  // namespace harness
