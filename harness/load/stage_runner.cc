// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/stage_runner.h"

#include <time.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "backend/base/clock.h"
#include "harness/load/load_thread.h"
#include "harness/load/stage_state.h"

namespace harness {
namespace {

using rocm::Now;
using rocm::TimePoint;
using rocm::ToNs;

std::chrono::nanoseconds ThreadCpu() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

void ThreadMain(LoadThread& thread, StageState& state) {
  const TimePoint begin = Now();
  const auto cpu_before = ThreadCpu();
  thread.Run();
  const auto cpu = ThreadCpu() - cpu_before;
  const auto wall = std::max(Now() - begin, rocm::Nanoseconds(1));
  state.cpu_ns.fetch_add(cpu.count());
  const std::lock_guard lock(state.mutex);
  state.busiest =
      std::max(state.busiest, static_cast<double>(cpu.count()) / static_cast<double>(wall.count()));
  --state.running_threads;
  state.changed.notify_all();
}

StageProgress Progress(const StageState& state) {
  return {.started = state.started.load(),
          .finished = state.finished.load(),
          .failed = state.failed.load(),
          .tokens = state.tokens.load(),
          .elapsed = Now() - state.begin};
}

int Streams(const Stage& stage) {
  if (const auto* closed = std::get_if<ClosedLoop>(&stage.load)) return closed->concurrency;
  return std::get<OpenLoop>(stage.load).max_in_flight;
}

}  // namespace

int LoadThreads(int streams) {
  // One loop drives hundreds of streams; a second one only takes a core from the server.
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  return std::clamp((streams + 511) / 512, 1, cores);
}

StageOutcome RunStage(const StagePlanInput& input) {
  StageState state(input);
  const int threads = input.threads > 0 ? input.threads : LoadThreads(Streams(*input.stage));
  state.running_threads = threads;
  state.begin = Now();
  if (input.stage->duration) state.starting_ends = state.begin + *input.stage->duration;

  std::vector<std::unique_ptr<LoadThread>> loops;
  for (int i = 0; i < threads; ++i) {
    loops.push_back(std::make_unique<LoadThread>(state, i, threads));
  }
  std::vector<std::jthread> running;
  for (auto& loop : loops) {
    running.emplace_back([&loop = *loop, &state] { ThreadMain(loop, state); });
  }
  {
    std::unique_lock lock(state.mutex);
    while (!state.changed.wait_for(lock, input.tick, [&] { return state.running_threads == 0; })) {
      lock.unlock();
      const StageOrder order = input.on_tick ? input.on_tick(Progress(state)) : StageOrder::kRun;
      if (order > state.order.load()) {
        state.order = order;
        for (auto& loop : loops) loop->Order(order);
      }
      lock.lock();
    }
  }
  running.clear();

  StageOutcome outcome;
  outcome.started = state.started;
  outcome.begin_ns = ToNs(state.begin);
  outcome.last_start_ns = state.last_start_ns;
  outcome.end_ns = ToNs(Now());
  outcome.cpu = std::chrono::nanoseconds(state.cpu_ns.load());
  outcome.busiest = state.busiest;
  outcome.threads = threads;
  outcome.chunks = state.chunks;
  outcome.cut_short = state.order.load() != StageOrder::kRun;
  const double due_s = static_cast<double>(outcome.last_start_ns - outcome.begin_ns) * 1e-9;
  if (!std::holds_alternative<ClosedLoop>(input.stage->load) && due_s > 0) {
    outcome.offered_per_s = static_cast<double>(outcome.started) / due_s;
  }
  return outcome;
}

}  // namespace harness
