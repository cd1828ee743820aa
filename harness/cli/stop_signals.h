// SPDX-License-Identifier: EUPL-1.2
#pragma once

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

  // Gives a program that is about to be executed in our place its signals back.
  static void Unblock();

 private:
  void Watch();
  std::stop_source soft_;
  std::stop_source hard_;
  rocm::UniqueFd signals_;
  rocm::UniqueFd quit_;
  std::thread watcher_;
};

}  // namespace harness
