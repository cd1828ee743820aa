// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "mock_server/clock.h"

namespace mock {

class TimerQueue;

// Calls back once at a set time. Setting it again moves it; destroying it cancels it. The callback
// gets the time that was asked for, not the time that it is. Must not outlive its queue.
class Timer {
 public:
  Timer(TimerQueue& queue, std::function<void(Ns scheduled)> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void Set(Ns at);
  void Cancel();
  [[nodiscard]] bool pending() const { return index_ != kIdle; }

 private:
  friend class TimerQueue;
  static constexpr std::size_t kIdle = static_cast<std::size_t>(-1);

  TimerQueue& queue_;
  std::function<void(Ns)> callback_;
  Ns at_ = 0;
  std::uint64_t order_ = 0;  // of setting: breaks ties, so that equal times run first come first
  std::size_t index_ = kIdle;
};

// A binary heap of timers. Knows no clock: whoever owns it says what time it is, so that tests run
// it on a time of their own. Not thread-safe.
class TimerQueue {
 public:
  // Runs at most `limit` timers that are due at `now`, earliest first; returns how many ran.
  std::size_t Run(Ns now, std::size_t limit);

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] Ns next() const { return heap_.front()->at_; }

  // Called when the earliest time has changed.
  void OnEarlier(std::function<void()> callback) { on_earlier_ = std::move(callback); }

 private:
  friend class Timer;

  static bool Before(const Timer& a, const Timer& b) {
    return a.at_ != b.at_ ? a.at_ < b.at_ : a.order_ < b.order_;
  }
  void Insert(Timer& timer);
  void Remove(Timer& timer);
  void Place(std::size_t index, Timer* timer);
  void SiftUp(std::size_t index);
  void SiftDown(std::size_t index);

  std::vector<Timer*> heap_;
  std::uint64_t orders_ = 0;
  std::function<void()> on_earlier_;
};

}  // namespace mock
