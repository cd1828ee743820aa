// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <vector>

#include "backend/error.h"
#include "backend/gpu/devices.h"
#include "harness/cli/progress.h"
#include "harness/cli/run_options.h"
#include "harness/cli/run_report.h"
#include "harness/cli/stop_signals.h"
#include "harness/record/run_lines.h"
#include "harness/scenario/scenario.h"

namespace harness {

// One run: every scenario, one after the other, each as its kind says; everything observed goes to
// the run file as it happens.
class Session {
 public:
  Session(const RunOptions& options, const StopSignals& signals, Progress& progress);

  // An error where the run could not even begin. Otherwise the exit code is in the report's end.
  [[nodiscard]] rocm::Result<RunReport> Run(const std::vector<Scenario>& scenarios);

 private:
  [[nodiscard]] rocm::Result<RunHeader> Header(const std::vector<Scenario>& scenarios) const;

  const RunOptions& options_;
  const StopSignals& signals_;
  Progress& progress_;
  rocm::gpu::Inventory inventory_;
};

}  // namespace harness
