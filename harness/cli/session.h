// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "backend/gpu/devices.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/progress.h"
#include "harness/cli/recorder.h"
#include "harness/cli/stage_judge.h"
#include "harness/cli/stop_signals.h"
#include "harness/measure/calibration.h"
#include "harness/record/run_metrics.h"
#include "harness/record/run_writer.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/sweep.h"
#include "harness/target/target.h"
#include "harness/telemetry/sampler.h"

namespace harness {

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
  std::optional<int> rounds;  // instead of the scenarios' own
  std::optional<Calibration> calibration;
  nlohmann::ordered_json calibration_json;  // the same, for the header
  RunMetrics* metrics = nullptr;            // fed with all that the run file gets
};

// A recorded stage of one variant, over all of its rounds.
struct StageReport {
  std::string scenario;
  std::string variant;
  Stage stage;
  Workload workload;
  bool timing_judged = true;
  StageSummary summary;
  std::map<std::string, double> error_bounds;
  std::optional<Saturation> saturation;
  std::vector<Verdict> verdicts;
};

struct RunReport {
  std::string run_id;
  std::filesystem::path file;
  RunEnd end;
  std::optional<rocm::Error> failure;  // of the server, not of requests
  std::vector<StageReport> stages;
};

// One run: every scenario, variant, round and stage, one after the other; everything observed goes
// to the run file as it happens.
class Session {
 public:
  Session(const RunOptions& options, const StopSignals& signals, Progress& progress);
  ~Session();

  // An error where the run could not even begin. Otherwise the exit code is in the report's end.
  [[nodiscard]] rocm::Result<RunReport> Run(const std::vector<Scenario>& scenarios);

 private:
  struct Kept;  // of one stage, over the rounds
  [[nodiscard]] rocm::Result<void> Begin(const std::vector<Scenario>& scenarios);
  // False ends the run: report_.failure, or the signal, says why.
  [[nodiscard]] bool RunScenario(const Scenario& scenario);
  [[nodiscard]] bool RunVariant(const Variant& variant);
  [[nodiscard]] bool RunRound(const Variant& variant, int round, std::vector<Kept>& kept);
  [[nodiscard]] bool RunOneStage(const Variant& variant, const Stage& stage, int round,
                                 const RequestFactory& factory, std::vector<Kept>& kept);
  [[nodiscard]] bool OpenServer(const Scenario& scenario, const std::string& variant, int round);
  void CloseServer(const std::string& why);
  void StartSampling();
  void Conclude(const Variant& variant, std::vector<Kept>& kept);
  [[nodiscard]] StageOrder Order(const StageProgress& progress);
  void Note(const std::string& event, nlohmann::ordered_json detail);
  [[nodiscard]] RunEnd End() const;

  const RunOptions& options_;
  const StopSignals& signals_;
  Progress& progress_;
  std::unique_ptr<RunWriter> writer_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Target> target_;
  std::optional<WordCosts> words_;  // of the run's one model
  rocm::gpu::Inventory inventory_;
  std::unique_ptr<Sampler> sampler_;
  RunEvent where_;  // scenario, variant, round and stage that are running
  std::optional<rocm::TimePoint> draining_since_;
  bool saturated_ = false;
  RunReport report_;
};

}  // namespace harness
