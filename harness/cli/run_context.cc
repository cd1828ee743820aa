// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/run_context.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

namespace harness {
namespace {

// After the first Ctrl-C, streams may still finish for so long.
constexpr std::chrono::milliseconds kDrainTime{1'000};

}  // namespace

void RunContext::CoolDown(std::chrono::milliseconds time) const {
  if (time.count() == 0) return;
  progress.Phase(fmt::format("cooling down for {:g} s", static_cast<double>(time.count()) / 1e3));
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  (void)never.wait_for(lock, signals.soft(), time, [] { return false; });
}

StageOrder RunContext::Order() {
  if (signals.hard().stop_requested()) return StageOrder::kCancel;
  // What is not kept need not be measured.
  if (log.writer().first_loss()) return StageOrder::kCancel;
  if (!interrupted()) return StageOrder::kRun;
  const rocm::TimePoint now = rocm::Now();
  if (!draining_since_) {
    draining_since_ = now;
    progress.Say("interrupted: finishing; once more to end at once");
  }
  return now - *draining_since_ < kDrainTime ? StageOrder::kDrain : StageOrder::kCancel;
}

}  // namespace harness
