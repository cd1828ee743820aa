// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <poll.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/testing/soak.h"
#include "backend/base/unique_fd.h"
#include "backend/process/child.h"
#include "backend/process/environment.h"
#include "backend/process/pidfd.h"
#include "backend/process/proc.h"
#include "backend/process/random_id.h"

// Shared by the tests of this room and of those above it.
namespace rocm::process::test {

inline constexpr std::chrono::seconds kPatience{20};

// Rounds of a repeated test: all of them in the soak, else a twentieth.
inline int Rounds(int full) { return QuickOrFull(std::max(full / 20, 1), full); }

inline std::string HelperPath() {
  return std::string(std::getenv("ROCM_TEST_BIN_DIR")) + "/process_test_helper";
}

// A 0700 folder that goes away with the test.
class TempDirectory {
 public:
  TempDirectory() : path_("/tmp/rocm-test-" + RandomId(6)) {
    std::filesystem::create_directory(path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The lines of a child, and a way to wait for one.
class Lines {
 public:
  void Add(std::string_view line) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(line);
    changed_.notify_all();
  }
  // The first line that starts with `prefix`, or "" after kPatience.
  std::string Await(std::string_view prefix) {
    std::unique_lock lock(mutex_);
    std::string found;
    changed_.wait_until(lock, Now() + kPatience, [&] {
      for (const std::string& line : lines_) {
        if (line.starts_with(prefix)) return found = line, true;
      }
      return false;
    });
    return found;
  }
  bool AwaitCount(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, Now() + kPatience, [&] { return lines_.size() >= count; });
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

inline ChildOptions HelperOptions(std::vector<std::string> arguments, Lines* lines = nullptr) {
  ChildOptions options;
  options.executable = HelperPath();
  options.arguments = std::move(arguments);
  options.environment = CurrentEnvironment();
  if (lines != nullptr) {
    options.on_line = [lines](LogStream, std::string_view line) { lines->Add(line); };
  }
  return options;
}

// Any process, ours or not, watched until it is gone.
class Watched {
 public:
  explicit Watched(pid_t pid) : fd_(OpenPidfd(pid)) {}
  bool AwaitEnd(std::chrono::milliseconds timeout = kPatience) const {
    return !fd_ || process::AwaitEnd(fd_, timeout);
  }
  bool Kill() const { return fd_ && SendSignal(fd_, SIGKILL); }

 private:
  UniqueFd fd_;
};

inline pid_t PidIn(const std::string& line) {
  return static_cast<pid_t>(std::atoi(line.substr(line.rfind(' ') + 1).c_str()));
}

inline bool AwaitTrue(const std::function<bool()>& condition) {
  for (const TimePoint end = Now() + kPatience; Now() < end; ::poll(nullptr, 0, 2)) {
    if (condition()) return true;
  }
  return false;
}

inline std::size_t OpenFds() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

// Children of this process, zombies included.
inline std::vector<pid_t> OwnChildren() {
  std::vector<pid_t> children;
  for (const pid_t pid : ListProcesses()) {
    const auto stat = ReadStat(pid);
    if (stat && stat->parent == ::getpid()) children.push_back(pid);
  }
  return children;
}

}  // namespace rocm::process::test
