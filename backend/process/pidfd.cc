// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/pidfd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "backend/base/clock.h"

namespace rocm::process {

UniqueFd OpenPidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
}

bool SendSignal(const UniqueFd& pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0U) == 0;
}

bool AwaitEnd(const UniqueFd& pidfd, std::chrono::milliseconds timeout) {
  const TimePoint deadline = Now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Now()).count();
    pollfd poll_fd{pidfd.get(), POLLIN, 0};
    const int ready =
        ::poll(&poll_fd, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready > 0 || left <= 0) return ready > 0;
  }
}

}  // namespace rocm::process
