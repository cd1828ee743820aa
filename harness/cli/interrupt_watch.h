// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace harness {

// Takes SIGINT from the whole program while it lives: each one calls `on_interrupt` on a thread of
// its own. Make it before other threads, which inherit the blocked signal.
class InterruptWatch {
 public:
  explicit InterruptWatch(std::function<void()> on_interrupt);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

 private:
  sigset_t before_{};
  std::jthread thread_;
};

}  // namespace harness
