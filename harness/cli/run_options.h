// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/cli/variant_binding.h"
#include "harness/measure/calibration.h"
#include "harness/record/run_metrics.h"
#include "harness/target/target.h"

namespace harness {

// What the command line asks of a run.
struct RunOptions {
  std::vector<std::string> files;
  std::vector<std::string> command;  // our own argv
  TargetOptions target;
  std::string target_text;  // as given
  std::filesystem::path out = "results/runs";
  bool chunks = true;
  bool json = false;
  bool silent = false;
  int load_threads = 0;
  bool allow_gpu_crash = false;              // scenarios may crash a real GPU's context
  std::optional<double> bandwidth_gb_per_s;  // of the memory that holds the weights
  std::optional<int> rounds;                 // instead of the scenarios' own
  std::optional<Calibration> calibration;
  nlohmann::ordered_json calibration_json;  // the same, for the header
  VariantBindings bindings;                 // of comparisons
  RunMetrics* metrics = nullptr;            // fed with all that the run file gets
};

}  // namespace harness
