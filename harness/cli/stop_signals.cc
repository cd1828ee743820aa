// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/stop_signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace harness {
namespace {

sigset_t Watched() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  // A closed pipe, and a file size limit, are reported by write(2) instead.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  const sigset_t set = Watched();
  if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) std::abort();
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
  quit_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!signals_ || !quit_) std::abort();
  watcher_ = std::thread([this] { Watch(); });
}

StopSignals::~StopSignals() {
  const std::uint64_t one = 1;
  if (::write(quit_.get(), &one, sizeof one) != sizeof one) std::abort();
  watcher_.join();
}

void StopSignals::Unblock() {
  const sigset_t set = Watched();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGXFSZ, SIG_DFL);
}

void StopSignals::Watch() {
  for (;;) {
    pollfd fds[2] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                     {.fd = quit_.get(), .events = POLLIN, .revents = 0}};
    if (::poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) continue;
    Take(static_cast<int>(info.ssi_signo));
  }
}

void StopSignals::Take(int signal) {
  const std::lock_guard lock(mutex_);
  if (on_interrupt_) {
    if (signal != SIGINT) ::_exit(128 + signal);
    on_interrupt_();
  } else if (!soft_.stop_requested()) {
    soft_.request_stop();
  } else if (!hard_.request_stop()) {
    ::_exit(130);
  }
}

void StopSignals::OnInterrupt(std::function<void()> on_interrupt) {
  const std::lock_guard lock(mutex_);
  on_interrupt_ = std::move(on_interrupt);
}

}  // namespace harness
