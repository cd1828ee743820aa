// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "harness/cli/load_memory.h"
#include "harness/cli/run_context.h"
#include "harness/measure/bandwidth_use.h"
#include "harness/scenario/scenario.h"
#include "harness/target/page_cache.h"
#include "harness/target/target.h"
#include "harness/telemetry/sampler.h"

namespace harness {

// A server for as long as a run needs it: its start, its end and what is sampled of it while it
// runs are events of the run. Not thread-safe.
class RunningServer {
 public:
  // Starts one as the scenario's `server` says, or attaches to one. A failure is an event too; one
  // that a signal brought about is kCancelled.
  [[nodiscard]] static rocm::Result<std::unique_ptr<RunningServer>> Open(
      RunContext& context, const TargetOptions& options, const Scenario& scenario, RunPlace place);
  ~RunningServer();
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  [[nodiscard]] Target& target() { return *target_; }
  [[nodiscard]] const TargetFacts& facts() const { return target_->facts(); }
  [[nodiscard]] Sampler& sampler() { return *sampler_; }
  // What its decode rates are held against; nullopt where that is not known.
  [[nodiscard]] const std::optional<BandwidthLimit>& bandwidth() const { return bandwidth_; }
  // What its start took: load_ms, memory after it, what of the model was in the page cache before.
  // Once, for the stage that follows it; empty from then on.
  [[nodiscard]] std::map<std::string, double> TakeLoadValues() {
    return std::exchange(load_values_, {});
  }
  // The key of what was learnt about its model.
  [[nodiscard]] const std::string& model_key() const { return model_key_; }

  // Stops it, within the time that the signals leave. Idempotent; the destructor does the same.
  void Close(const std::string& why);

 private:
  RunningServer(RunContext& context, RunPlace place, std::unique_ptr<Target> target,
                std::string model_key);
  void NoteStart(const Scenario& scenario, const PageCacheReport& page_cache,
                 const MemoryInUse& before);
  void StartSampling();
  // Did the cards get back what the server took?
  void NoteReleasedMemory();

  RunContext& context_;
  const RunPlace place_;
  const std::unique_ptr<Target> target_;
  const std::string model_key_;
  std::unique_ptr<Sampler> sampler_;
  std::optional<BandwidthLimit> bandwidth_;
  std::map<std::string, double> load_values_;
  const rocm::TimePoint started_at_ = rocm::Now();
  MemoryInUse memory_before_;  // the server was started
  bool closed_ = false;
};

// Streams that are open at once, at most.
[[nodiscard]] int MaxStreams(const Scenario& scenario);

}  // namespace harness
