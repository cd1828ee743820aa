// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "backend/base/unique_fd.h"
#include "backend/error.h"

namespace rocm::process {

// One fork and exec. Everything is prepared by the caller: there is no search on PATH, no shell.
struct SpawnPlan {
  std::string executable;
  std::vector<std::string> argv;         // argv[0] included
  std::vector<std::string> environment;  // "NAME=value"
  std::string working_directory;         // empty: ours
  bool core_dumps = false;
  // Between fork and exec, a hung network mount for example.
  std::chrono::milliseconds exec_timeout{30'000};
  // For tests of that interval: runs in the child right after fork; async-signal-safe calls only.
  void (*after_fork)(void*) = nullptr;
  void* after_fork_argument = nullptr;
};

// A process that has executed its program. It is killed (SIGKILL) when the *thread* that spawned it
// ends, it leads a process group of its own, has default signal handling, /dev/null as its input,
// pipes as its output and no other descriptor.
struct SpawnedProcess {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd out;  // both non-blocking
  UniqueFd err;
};

// kBinaryNotFound where the program cannot be executed, with the reason; kIo where the system
// refuses a process or a pipe.
[[nodiscard]] Result<SpawnedProcess> Spawn(const SpawnPlan& plan);

}  // namespace rocm::process
