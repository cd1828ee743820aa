// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/interrupt_watch.h"

#include <ctime>

namespace harness {
namespace {

sigset_t Interrupt() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

InterruptWatch::InterruptWatch(std::function<void()> on_interrupt) {
  const sigset_t set = Interrupt();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  thread_ = std::jthread([on_interrupt = std::move(on_interrupt)](std::stop_token stop) {
    const sigset_t awaited = Interrupt();
    const timespec tick{0, 50'000'000};  // how soon the destructor is noticed
    while (!stop.stop_requested()) {
      if (::sigtimedwait(&awaited, nullptr, &tick) == SIGINT) on_interrupt();
    }
  });
}

InterruptWatch::~InterruptWatch() {
  thread_.request_stop();
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace harness
