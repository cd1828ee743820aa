// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "backend/llama_server/server.h"
#include "backend/rocm/load_plan.h"
#include "backend/rocm/model_core.h"

namespace rocm {

// Starts the server anew after it died by itself, as RestartPolicy says, on a thread of its own. A
// new one is held against the plan before calls get it: its GPU may be gone.
// Calls in the meantime fail at once with kServerExited, retryable. Thread-safe.
class Restarter {
 public:
  Restarter(std::shared_ptr<ModelCore> core, LoadPlan plan);
  ~Restarter();

  // For ServerConfig::on_exit of the first server; later ones get theirs here.
  [[nodiscard]] std::function<void(const ExitInfo&)> exit_notice();
  // From now on a death is answered.
  void Arm();
  // No new start; one in progress is cancelled. Returns when the thread has ended.
  void Disarm();

  [[nodiscard]] int restarts() const;
  // True once the policy allows no further start.
  [[nodiscard]] bool gave_up() const;

 private:
  struct Notice;  // outlives us: the dying server's thread may still hold it
  void Run(std::stop_token stop);
  [[nodiscard]] Result<void> StartAgain(std::stop_token stop);

  std::shared_ptr<ModelCore> core_;
  LoadPlan plan_;
  std::shared_ptr<Notice> notice_;
  std::jthread thread_;
};

}  // namespace rocm
