// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "backend/base/unique_fd.h"

namespace harness {

// SIGINT and SIGTERM as stop tokens. Make it first thing in main(), before any thread, and only
// once: the signals are blocked for all threads that come later and read here. The third one ends
// the program on the spot; children die with it.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The first signal: finish what runs, keep the data.
  [[nodiscard]] std::stop_token soft() const { return soft_.get_token(); }
  // The second: at once.
  [[nodiscard]] std::stop_token hard() const { return hard_.get_token(); }

  // An interactive command's way: from now on each SIGINT calls `on_interrupt`, on the watching
  // thread, and SIGTERM ends the program on the spot. An empty function ends that.
  void OnInterrupt(std::function<void()> on_interrupt);

  // Gives a program that is about to be executed in our place its signals back.
  static void Unblock();

 private:
  void Watch();
  void Take(int signal);
  std::stop_source soft_;
  std::stop_source hard_;
  rocm::UniqueFd signals_;
  rocm::UniqueFd quit_;
  std::mutex mutex_;
  std::function<void()> on_interrupt_;
  std::thread watcher_;
};

}  // namespace harness
