// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/error.h"
#include "backend/process/run_directory.h"

namespace rocm::process {

enum class LogStream { kOut, kErr };

struct ChildOptions {
  std::string executable;              // a path; PATH is not searched
  std::vector<std::string> arguments;  // without argv[0], which is the executable
  std::vector<std::string> environment;
  std::string working_directory;  // empty: ours
  bool core_dumps = false;
  // The log ring, and the longest line that it, and on_line, will see.
  std::size_t log_lines = 1000;
  std::size_t log_bytes = std::size_t{1} << 20;
  std::size_t max_line_bytes = 4096;
  // How long to read on after the process ended while something else holds its pipes.
  std::chrono::milliseconds drain_timeout{250};
  // From SIGTERM to SIGKILL in the destructor.
  std::chrono::milliseconds destructor_grace{2'000};
  // Where the child is recorded for ReapOrphans(); removed when it is reaped. May be null.
  std::unique_ptr<RunDirectory> run_directory;
  // All three are called on the supervising thread, must be quick and must neither stop nor
  // destroy the Child.
  std::function<void(LogStream, std::string_view line)> on_line;
  // The beginning of a line that is not complete yet, when it grew: progress dots.
  std::function<void(LogStream, std::string_view raw)> on_partial_line;
  // Once, right after the end was noticed and exit_info() is set.
  std::function<void(const ExitInfo&)> on_exit;
};

struct StopResult {
  ExitInfo exit;
  bool killed = false;  // by our SIGKILL
  std::chrono::nanoseconds duration{0};
};

// One process, supervised by a thread that lives as long as it does: that thread forks it (the
// kernel's parent-death signal follows the forking thread), reads its output, notices its end and
// reaps it, by its pidfd only. The process and its group die with us, even by SIGKILL.
// Thread-safe. The destructor stops the process; in a fork of this program it does nothing.
class Child {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Child>> Start(ChildOptions options);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const;
  // Asks the kernel: false from the very moment of the end, even before exit_info() is known.
  [[nodiscard]] bool alive() const;
  [[nodiscard]] std::optional<ExitInfo> exit_info() const;
  // Readable once exit_info() is set. Never read from it.
  [[nodiscard]] int exit_fd() const;
  // True when exit_info() is set, at the latest after `timeout`.
  [[nodiscard]] bool WaitExited(std::chrono::milliseconds timeout) const;

  // SIGTERM to the group, again after `nudge`, SIGKILL after `grace`; then waits for the end. A
  // process that uses no CPU for half a second after the second SIGTERM hangs, and is killed then.
  // kInternal when the kernel does not let go of the process. Idempotent.
  [[nodiscard]] Result<StopResult> Stop(std::chrono::milliseconds grace,
                                        std::chrono::milliseconds nudge = std::chrono::milliseconds{
                                            200});
  // To the process alone; false when it has ended.
  bool Signal(int signal);

  [[nodiscard]] std::vector<std::string> LogTail(std::size_t lines) const;
  // When it last wrote anything; its start before that.
  [[nodiscard]] TimePoint last_output() const;
  // Empty when none was given.
  [[nodiscard]] const std::string& run_directory() const;

 private:
  class Supervisor;
  // Until it ends, hangs or `end` has come.
  void WaitWhileItWorks(TimePoint end) const;
  explicit Child(std::unique_ptr<Supervisor> supervisor);
  std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace rocm::process
