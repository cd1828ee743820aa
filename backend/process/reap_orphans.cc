// SPDX-License-Identifier: EUPL-1.2
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>

#include "backend/base/errno_text.h"
#include "backend/base/unique_fd.h"
#include "backend/process/pidfd.h"
#include "backend/process/proc.h"
#include "backend/process/run_directory.h"
#include "backend/process/run_record.h"

namespace rocm::process {
namespace {

// A killed process may still have to give back gigabytes of device memory.
constexpr std::chrono::milliseconds kDeathTimeout{3'000};
constexpr std::size_t kMaxDirectories = 1024;

// Unknown: out of descriptors, say, neither pidfd nor /proc can be opened, whoever lives.
enum class Life { kAlive, kDead, kUnknown };

// Not by the state in /proc: a process whose main thread has ended shows as a zombie and lives on.
Life LifeOf(const UniqueFd& pidfd, pid_t pid, std::uint64_t start_ticks) {
  if (!pidfd && ::kill(pid, 0) != 0 && errno == ESRCH) return Life::kDead;
  if (pidfd && AwaitEnd(pidfd, std::chrono::milliseconds(0))) return Life::kDead;
  const auto stat = ReadStat(pid);
  if (stat && stat->start_ticks != start_ticks) return Life::kDead;
  return pidfd && stat ? Life::kAlive : Life::kUnknown;
}

class Reaper {
 public:
  explicit Reaper(const std::string& runtime) : runtime_(runtime) {}

  ReapReport Run() {
    FindLeftOver();
    if (leftover_.empty()) return std::move(report_);
    for (const auto& [name, record] : leftover_) {
      if (record) KillRecorded(*record);
    }
    KillMarked();
    if (in_doubt_) {
      report_.problems.push_back("cannot tell what is left over in " + runtime_ +
                                 ": out of descriptors?");
      return std::move(report_);
    }
    for (const auto& [name, record] : leftover_) Remove(name);
    return std::move(report_);
  }

 private:
  void FindLeftOver() {
    const std::uint64_t here = PidNamespace();
    std::error_code error;
    std::filesystem::directory_iterator it(runtime_, error);
    for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      const std::string name = it->path().filename().string();
      const auto maker = RunName::Parse(name);
      if (!maker || maker->pid_namespace != here) continue;
      const Life life = LifeOf(OpenPidfd(maker->pid), maker->pid, maker->start_ticks);
      if (life != Life::kDead) continue;
      errno = 0;
      const auto text = ReadSmallFile(runtime_ + "/" + name + "/" + kRunRecordFile, 8192);
      if (!text) Doubt(errno);
      leftover_.emplace(name, text ? RunRecord::Parse(*text) : std::nullopt);
      if (leftover_.size() >= kMaxDirectories) break;
    }
  }

  void KillRecorded(const RunRecord& record) {
    if (record.boot_id != BootId()) return;
    // Opened before the comparison: from here on the pid cannot come to mean another process.
    const UniqueFd pidfd = OpenPidfd(record.pid);
    const Life life = LifeOf(pidfd, record.pid, record.start_ticks);
    if (life == Life::kUnknown) in_doubt_ = true;
    if (life != Life::kAlive) return;
    if (ReadExe(record.pid) != record.exe) return;  // a wrapper that went on: see KillMarked()
    Kill(pidfd, record.pid);
  }

  // What the child started, or became, carries our marker, whichever group it is in.
  void KillMarked() {
    const std::vector<pid_t> processes = ListProcesses();
    if (processes.empty()) in_doubt_ = true;
    for (const pid_t pid : processes) {
      if (pid == ::getpid()) continue;
      errno = 0;
      const UniqueFd pidfd = OpenPidfd(pid);
      if (!pidfd) Doubt(errno);
      if (pidfd && IsMarked(pid)) Kill(pidfd, pid);
    }
  }

  bool IsMarked(pid_t pid) {
    errno = 0;
    const std::vector<std::string> environment = ReadEnvironment(pid);
    if (environment.empty()) Doubt(errno);
    return std::ranges::any_of(environment, [&](std::string_view entry) {
      return entry.starts_with(kRunMarker) && entry.size() > kRunMarker.size() &&
             entry[kRunMarker.size()] == '=' &&
             leftover_.contains(std::string(entry.substr(kRunMarker.size() + 1)));
    });
  }

  // Other failures tell that there is nothing, or nothing of ours.
  void Doubt(int error) {
    if (error == EMFILE || error == ENFILE || error == ENOMEM) in_doubt_ = true;
  }

  void Kill(const UniqueFd& pidfd, pid_t pid) {
    if (!SendSignal(pidfd, SIGKILL)) {
      if (errno == ESRCH) return;
      report_.problems.push_back("cannot kill the left-over process " + std::to_string(pid) + ": " +
                                 ErrnoText(errno));
      return;
    }
    if (!AwaitEnd(pidfd, kDeathTimeout)) {
      report_.problems.push_back("the left-over process " + std::to_string(pid) +
                                 " does not die of SIGKILL");
      return;
    }
    report_.killed.push_back(pid);
  }

  void Remove(const std::string& name) {
    std::error_code error;
    std::filesystem::remove_all(runtime_ + "/" + name, error);
    if (error) {
      report_.problems.push_back("cannot remove " + runtime_ + "/" + name + ": " + error.message());
    } else {
      ++report_.directories_removed;
    }
  }

  const std::string& runtime_;
  std::map<std::string, std::optional<RunRecord>> leftover_;
  ReapReport report_;
  bool in_doubt_ = false;  // something may live that belongs to what is left over
};

}  // namespace

ReapReport ReapOrphans(const std::string& runtime) { return Reaper(runtime).Run(); }

}  // namespace rocm::process
