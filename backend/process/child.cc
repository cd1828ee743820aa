// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/child.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "backend/process/proc.h"
#include "backend/process/supervisor.h"

namespace rocm::process {
namespace {

// Between SIGKILL and the end: the kernel may have gigabytes of pinned memory to give back.
constexpr std::chrono::milliseconds kKillTimeout{10'000};

// Without CPU time for so long after the second SIGTERM, it hangs: llama-server's signal handlers
// take locks, and in about one stop of ten under load they wait for the thread they interrupted.
constexpr std::chrono::milliseconds kHangs{500};
constexpr std::chrono::milliseconds kLookEvery{50};

}  // namespace

Result<std::unique_ptr<Child>> Child::Start(ChildOptions options) {
  auto supervisor = std::make_unique<Supervisor>(std::move(options));
  if (auto started = supervisor->Start(); !started) return Fail(started.error());
  return std::unique_ptr<Child>(new Child(std::move(supervisor)));
}

Child::Child(std::unique_ptr<Supervisor> supervisor) : supervisor_(std::move(supervisor)) {}

Child::~Child() {
  if (supervisor_->IsForkedCopy()) {
    // Neither the process nor the thread is ours here: there is nothing to stop, join or remove.
    static_cast<void>(supervisor_.release());
    return;
  }
  static_cast<void>(Stop(supervisor_->options().destructor_grace));
}

pid_t Child::pid() const { return supervisor_->pid(); }
bool Child::alive() const { return supervisor_->alive(); }
std::optional<ExitInfo> Child::exit_info() const { return supervisor_->exit_info(); }
int Child::exit_fd() const { return supervisor_->exit_fd(); }

bool Child::WaitExited(std::chrono::milliseconds timeout) const {
  return supervisor_->WaitExitedUntil(Now() + timeout);
}

Result<StopResult> Child::Stop(std::chrono::milliseconds grace, std::chrono::milliseconds nudge) {
  using Target = Supervisor::Target;
  if (supervisor_->IsForkedCopy()) {
    return Fail(ErrorCode::kInternal, "a fork of the program cannot stop its processes");
  }
  const TimePoint start = Now();
  StopResult result;
  if (!supervisor_->exit_info()) {
    // A stopped process (SIGSTOP) sees the SIGTERM only when it goes on.
    const auto ask = [this] {
      supervisor_->Send(SIGTERM, Target::kGroup);
      supervisor_->Send(SIGCONT, Target::kGroup);
    };
    const TimePoint end = start + grace;
    if (grace.count() > 0) {
      ask();
      if (!supervisor_->WaitExitedUntil(std::min(start + nudge, end)) && start + nudge < end) {
        ask();
        WaitWhileItWorks(end);
      }
    }
    if (!supervisor_->exit_info()) {
      result.killed = supervisor_->Send(SIGKILL, Target::kGroup);
      if (!supervisor_->WaitExitedUntil(Now() + kKillTimeout)) {
        return Fail(ErrorCode::kInternal,
                    "process " + std::to_string(pid()) + " does not die of SIGKILL");
      }
    }
  }
  result.exit = supervisor_->exit_info().value();
  result.duration = Now() - start;
  return result;
}

void Child::WaitWhileItWorks(TimePoint end) const {
  std::uint64_t ticks = 0;
  TimePoint last_work = Now();
  while (!supervisor_->WaitExitedUntil(std::min(Now() + kLookEvery, end))) {
    const TimePoint now = Now();
    const auto stat = ReadStat(pid());
    if (stat && stat->cpu_ticks != ticks) {
      ticks = stat->cpu_ticks;
      last_work = now;
    }
    if (now >= end || now - last_work >= kHangs) return;
  }
}

bool Child::Signal(int signal) { return supervisor_->Send(signal, Supervisor::Target::kProcess); }

std::vector<std::string> Child::LogTail(std::size_t lines) const {
  return supervisor_->log().Tail(lines);
}
TimePoint Child::last_output() const { return supervisor_->last_output(); }
const std::string& Child::run_directory() const { return supervisor_->run_directory(); }

}  // namespace rocm::process
