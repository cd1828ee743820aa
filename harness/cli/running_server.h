// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
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
  // that a signal brought about is kCancelled. `streams` at once, where later stages on the same
  // server have more than this scenario.
  [[nodiscard]] static rocm::Result<std::unique_ptr<RunningServer>> Open(
      RunContext& context, const TargetOptions& options, const Scenario& scenario, RunPlace place,
      int streams = 0);
  ~RunningServer();
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  [[nodiscard]] Target& target() { return *target_; }
  [[nodiscard]] const TargetFacts& facts() const { return target_->facts(); }
  [[nodiscard]] Sampler& sampler() { return *sampler_; }
  // Events that follow belong to this round.
  void set_round(int round) { place_.round = round; }
  // What its decode rates are held against; nullopt where that is not known.
  [[nodiscard]] const std::optional<BandwidthLimit>& bandwidth() const { return bandwidth_; }
  // What its start took: load_ms, memory after it, what of the model was in the page cache before.
  // Once, for the stage that follows it; empty from then on.
  [[nodiscard]] std::map<std::string, double> TakeLoadValues() {
    return std::exchange(load_values_, {});
  }
  // The key of what was learnt about its model.
  [[nodiscard]] const std::string& model_key() const { return model_key_; }

  // Of a server that died: until the backend's own policy has started another, which this then is.
  // Nothing is sampled or written until NoteRestart().
  [[nodiscard]] RestartOutcome AwaitRestart(rocm::TimePoint deadline);
  // The events of the death (`exit` is its detail) and of the start that followed, if one did.
  void NoteRestart(nlohmann::ordered_json exit, std::int64_t exited_ns);
  // Stops it, within the time that the signals leave. Idempotent; the destructor does the same.
  // `grace` instead of what the signals leave; 0 kills it.
  void Close(const std::string& why, std::optional<std::chrono::milliseconds> grace = std::nullopt);

 private:
  RunningServer(RunContext& context, RunPlace place, std::unique_ptr<Target> target,
                std::string model_key, const Scenario& scenario);
  // `at_ns` 0: now.
  void NoteStart(const PageCacheReport& page_cache, const MemoryInUse& before,
                 std::int64_t at_ns = 0);
  void StartSampling();
  // Did the cards get back what the server took?
  void NoteReleasedMemory();

  RunContext& context_;
  RunPlace place_;
  const std::unique_ptr<Target> target_;
  const std::string model_key_;
  std::unique_ptr<Sampler> sampler_;
  std::optional<BandwidthLimit> bandwidth_;
  std::map<std::string, double> load_values_;
  Scenario scenario_;
  rocm::TimePoint started_at_ = rocm::Now();
  MemoryInUse memory_before_;  // the server was started
  std::int64_t restarted_ns_ = 0;
  bool exit_noted_ = false;
  bool closed_ = false;
};

// Streams that are open at once, at most.
[[nodiscard]] int MaxStreams(const Scenario& scenario);

}  // namespace harness
