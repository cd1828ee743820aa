// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <chrono>

#include "backend/base/unique_fd.h"

namespace rocm::process {

// A process held by a descriptor: unlike a pid it can never come to mean another one. Raw system
// calls, because Debian 12's <sys/pidfd.h> cannot be linked from C++.

// Empty (errno set) when there is no such process.
[[nodiscard]] UniqueFd OpenPidfd(pid_t pid);
// False (errno set) when it has ended, or is not ours to signal.
bool SendSignal(const UniqueFd& pidfd, int signal);
// True when the process, all of its threads, has ended; at the latest after `timeout`.
[[nodiscard]] bool AwaitEnd(const UniqueFd& pidfd, std::chrono::milliseconds timeout);

}  // namespace rocm::process
