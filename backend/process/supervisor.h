// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <mutex>
#include <thread>

#include "backend/base/unique_fd.h"
#include "backend/process/child.h"
#include "backend/process/line_splitter.h"
#include "backend/process/log_ring.h"
#include "backend/process/spawn.h"

namespace rocm::process {

// The inside of a Child: the supervising thread, and what other threads share with it.
class Child::Supervisor {
 public:
  explicit Supervisor(ChildOptions options);
  ~Supervisor();

  // Starts the thread; returns when it has spawned the process, or could not.
  [[nodiscard]] Result<void> Start();

  [[nodiscard]] pid_t pid() const { return process_.pid; }
  [[nodiscard]] bool alive() const;
  [[nodiscard]] std::optional<ExitInfo> exit_info() const;
  [[nodiscard]] int exit_fd() const { return exit_event_.get(); }
  [[nodiscard]] bool WaitExitedUntil(TimePoint deadline) const;
  [[nodiscard]] const ChildOptions& options() const { return options_; }
  [[nodiscard]] const LogRing& log() const { return log_; }
  [[nodiscard]] TimePoint last_output() const;
  [[nodiscard]] const std::string& run_directory() const { return run_directory_; }

  // Whether this is the memory of a fork of the program that started it.
  [[nodiscard]] bool IsForkedCopy() const { return ::getpid() != owner_; }

  enum class Target { kProcess, kGroup };
  // False when it has been reaped.
  bool Send(int signal, Target target);

 private:
  struct Stream {
    LogStream which;
    UniqueFd fd;
    LineSplitter splitter;
  };

  void Run(std::promise<Result<void>> started);
  Result<void> SpawnAndRecord();
  void Supervise();
  void DrainAfterExit();
  // Until the pipe is empty, or `budget` bytes were read.
  void ReadAvailable(Stream& stream, std::size_t budget);
  void ReadBoth(std::size_t budget);
  void OnLine(LogStream which, std::string_view line);
  void NoticeExit();
  [[nodiscard]] ExitInfo Reap();
  void Wake() const;

  const pid_t owner_ = ::getpid();
  ChildOptions options_;
  std::string run_directory_;
  SpawnedProcess process_;
  LogRing log_;
  Stream out_;
  Stream err_;
  UniqueFd exit_event_;
  UniqueFd wake_event_;  // ends the supervision of a process that cannot be killed
  std::atomic<std::int64_t> last_output_ns_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable exited_;
  bool reaped_ = false;  // from here on the pid is no longer ours to signal
  std::optional<ExitInfo> exit_;
  std::thread thread_;
};

}  // namespace rocm::process
