// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>

#include "harness/load/stage_runner.h"
#include "harness/load/stage_state.h"

namespace harness {

// One event loop and the streams on it: the `id`th of `of`.
class LoadThread {
 public:
  // `state` must outlive it.
  LoadThread(StageState& state, int id, int of);
  ~LoadThread();
  LoadThread(const LoadThread&) = delete;
  LoadThread& operator=(const LoadThread&) = delete;

  // Until all of its streams have ended. On a thread of the caller's.
  void Run();
  // From any thread, while Run() runs or before.
  void Order(StageOrder order);

 private:
  class Loop;
  const std::unique_ptr<Loop> loop_;
};

}  // namespace harness
