// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "backend/base/clock.h"
#include "backend/gpu/devices.h"
#include "harness/cli/bandwidth_finder.h"
#include "harness/cli/progress.h"
#include "harness/cli/recorder.h"
#include "harness/cli/run_log.h"
#include "harness/cli/run_options.h"
#include "harness/cli/run_report.h"
#include "harness/cli/stop_signals.h"
#include "harness/load/word_costs.h"

namespace harness {

// What the parts of a run share: what was asked for, who may stop it, and where everything that is
// seen goes. One thread: the run's.
class RunContext {
 public:
  RunContext(const RunOptions& run_options, const StopSignals& stop_signals,
             Progress& shown_progress, RunLog& run_log, const rocm::gpu::Inventory& gpus)
      : options(run_options),
        signals(stop_signals),
        progress(shown_progress),
        log(run_log),
        inventory(gpus),
        recorder(run_log.writer(), run_log.metrics()),
        bandwidth(run_options.target, run_options.bandwidth_gb_per_s) {}

  const RunOptions& options;
  const StopSignals& signals;
  Progress& progress;
  RunLog& log;
  const rocm::gpu::Inventory& inventory;
  Recorder recorder;
  BandwidthFinder bandwidth;
  RunReport report;
  // What was learnt about a model's words, by its file or URL.
  std::map<std::string, std::optional<WordCosts>> words;

  [[nodiscard]] bool interrupted() const { return signals.soft().stop_requested(); }
  // A failure, a signal or a run file that can no longer be written has ended the run: nothing more
  // is begun.
  [[nodiscard]] bool over() const {
    return interrupted() || report.failure.has_value() || log.writer().first_loss().has_value();
  }
  // Waits, or until a signal comes.
  void CoolDown(std::chrono::milliseconds time) const;
  // What the signals ask of a stage that runs. After the first one streams may finish for a moment.
  [[nodiscard]] StageOrder Order();

 private:
  std::optional<rocm::TimePoint> draining_since_;
};

}  // namespace harness
