// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <functional>
#include <optional>

#include "harness/cli/recorder.h"
#include "harness/cli/run_context.h"
#include "harness/cli/running_server.h"
#include "harness/cli/stage_judge.h"
#include "harness/load/request_factory.h"
#include "harness/load/stage_runner.h"
#include "harness/scenario/scenario.h"

namespace harness {

// One stage of one round on one server.
struct StageTask {
  const Scenario* scenario = nullptr;
  const Stage* stage = nullptr;
  const RequestFactory* factory = nullptr;
  RunPlace place;  // its stage is filled in
  // On the run's thread, at every tick; what it says counts where no signal says more. May be
  // empty.
  std::function<StageOrder(const StageProgress&)> on_tick = {};
  // See StagePlanInput.
  std::function<void()> on_started = {};
  std::function<void(std::int64_t tokens)> on_tokens = {};
  std::chrono::milliseconds tick{50};
  // True: it begins at once: nothing is asked of the server or its cards, and nothing is written
  // before.
  bool at_once = false;
};

struct StageResult {
  StageOutcome outcome;
  StageRecords records;               // empty for a stage that is not recorded
  std::optional<JudgedStage> judged;  // of a recorded stage with requests
  bool server_died = false;           // for the caller to judge
};

// Drives the stage, writes its requests and events, and summarises it. Ends early on a signal, and
// when the server dies: then nothing more would succeed.
[[nodiscard]] StageResult PassStage(RunContext& context, RunningServer& server,
                                    const StageTask& task);

// The error for a server that ended when nothing was to end it.
[[nodiscard]] rocm::Error ServerEnded(const Target& target);

}  // namespace harness
