// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/fault_trigger.h"

#include <poll.h>
#include <signal.h>

#include <utility>

namespace harness {
namespace {

constexpr int kPollMs = 20;  // between looks at whether to give up watching

}  // namespace

int SignalOf(FaultAction action) {
  switch (action) {
    case FaultAction::kKill: return SIGKILL;
    case FaultAction::kSegv: return SIGSEGV;
    case FaultAction::kAbort: return SIGABRT;
    case FaultAction::kStop: return SIGSTOP;
    case FaultAction::kTerm: return SIGTERM;
    case FaultAction::kUnmask: break;  // no signal: it dies by itself
  }
  return 0;
}

FaultTrigger::FaultTrigger(const FaultPlan& plan, pid_t pid) : plan_(plan), pid_(pid) {
  if (plan_.moment != FaultMoment::kPrefill) return;
  timer_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return quit_ || due_.has_value(); });
    if (quit_ || changed_.wait_until(lock, *due_, [this] { return quit_; })) return;
    (void)Strike();
  });
}

FaultTrigger::~FaultTrigger() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  if (timer_.joinable()) timer_.join();
}

void FaultTrigger::OnStarted() {
  if (plan_.moment != FaultMoment::kPrefill) return;
  const std::lock_guard lock(mutex_);
  if (!first_start_) first_start_ = rocm::Now();
  if (!first_token_ || due_) return;
  due_ = rocm::Now() + *first_token_ / 2;
  changed_.notify_all();
}

void FaultTrigger::OnTokens(std::int64_t tokens) {
  if (plan_.moment == FaultMoment::kDecode && tokens >= plan_.after_tokens) (void)Strike();
  if (plan_.moment != FaultMoment::kPrefill) return;
  const std::lock_guard lock(mutex_);
  if (!first_token_ && first_start_) first_token_ = rocm::Now() - *first_start_;
}

bool FaultTrigger::Strike() {
  if (taken_.exchange(true)) return false;
  const std::int64_t now = rocm::ToNs(rocm::Now());
  // A negative number would mean a group, 0 our own.
  if (const pid_t pid = pid_; pid > 0) (void)::kill(pid, SignalOf(plan_.action));
  struck_ns_ = now;
  return true;
}

ExitWatch::ExitWatch(int exit_fd, std::function<bool()> serves_again)
    : fd_(exit_fd), serves_again_(std::move(serves_again)), thread_([this] { Watch(); }) {}

ExitWatch::~ExitWatch() { Stop(); }

void ExitWatch::Stop() {
  quit_ = true;
  if (thread_.joinable()) thread_.join();
}

void ExitWatch::Watch() {
  for (bool ended = false; !ended && !quit_;) {
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kPollMs) <= 0) continue;
    const std::int64_t now = rocm::ToNs(rocm::Now());
    const std::lock_guard lock(mutex_);
    ended_ns_ = now;
    changed_.notify_all();
    ended = true;
  }
  while (!quit_) {
    if (serves_again_()) {
      served_ns_ = rocm::ToNs(rocm::Now());
      return;
    }
    (void)::poll(nullptr, 0, 1);
  }
}

std::int64_t ExitWatch::Await(rocm::TimePoint deadline) {
  std::unique_lock lock(mutex_);
  (void)changed_.wait_until(lock, deadline, [this] { return ended_ns_ != 0; });
  return ended_ns_;
}

}  // namespace harness
