// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mock_server/api/api_error.h"
#include "mock_server/clock.h"
#include "mock_server/engine/generation.h"
#include "mock_server/engine/slots.h"
#include "mock_server/engine/timer_queue.h"
#include "mock_server/engine/timing_model.h"

namespace mock {

struct EngineConfig {
  TimingModel model;
  int slots = 4;
  int context_per_slot = 65'536;
  int context_total = 65'536;
  bool unified_kv = true;
  bool flash_attention = true;
  int batch = 2'048;
  int tokens_per_chunk = 1;
  double slot_similarity = 0.1;
  std::size_t stored_prompts = 64;
  std::uint64_t seed = 1;
};

// "timings" of an answer, from the scheduled times: the same seed gives the same numbers.
struct Timings {
  int cache_n = 0;
  int prompt_n = 0;
  double prompt_ms = 0.0;
  int predicted_n = 0;
  double predicted_ms = 0.001;
};

class Task;

// Hears what becomes of a task, on the server's thread. The task may be destroyed in OnFinished
// and OnFailed, and may be cancelled in any of them.
class TaskListener {
 public:
  virtual ~TaskListener() = default;
  virtual void OnSlot(Task& task) = 0;
  virtual void OnProgress(Task& task, int processed, Ns scheduled) = 0;
  virtual void OnPrefilled(Task& task, Ns scheduled) = 0;
  virtual void OnTokens(Task& task, const TokenEvent& event, Ns scheduled) = 0;
  virtual void OnFinished(Task& task, Ns scheduled) = 0;
  virtual void OnFailed(Task& task, const ApiError& error) = 0;
};

// One prompt on its way through the engine.
class Task {
 public:
  Task(int id, std::uint64_t seed, std::shared_ptr<const GenerationParams> params, Tokens prompt,
       int index, TaskListener& listener, int context);

  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] int index() const { return index_; }  // of the choice
  [[nodiscard]] int slot() const { return slot_ == nullptr ? -1 : slot_->id; }
  [[nodiscard]] const GenerationParams& params() const { return *params_; }
  [[nodiscard]] const Tokens& prompt() const { return prompt_; }
  [[nodiscard]] const Generation& generation() const { return generation_; }
  [[nodiscard]] int cached() const { return cached_; }
  [[nodiscard]] int tokens_in_slot() const;
  [[nodiscard]] Timings timings() const;
  [[nodiscard]] Ns started() const { return started_; }
  [[nodiscard]] bool busy() const { return state_ == State::kPrefill || state_ == State::kDecode; }

 private:
  friend class Scheduler;
  enum class State { kWaiting, kPrefill, kDecode, kDone };

  int id_;
  std::shared_ptr<const GenerationParams> params_;
  Tokens prompt_;
  int index_;
  TaskListener& listener_;
  Generation generation_;
  Random random_;
  State state_ = State::kWaiting;
  bool cancelled_ = false;
  bool alone_ = true;   // the only one of its request
  bool child_ = false;  // started from another task's cache
  Slot* slot_ = nullptr;
  int cached_ = 0;
  int prefilled_ = 0;
  Ns started_ = 0;
  Ns first_token_ = 0;
  Ns last_token_ = 0;
  std::optional<TokenId> pending_;  // sampled, not yet in the cache
  int tokens_at_end_ = 0;
  std::unique_ptr<Timer> timer_;  // of its own steps, when slots are not batched
};

struct EngineCounters {
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  double prompt_seconds = 0.0;
  std::int64_t predicted_tokens = 0;
  double predicted_seconds = 0.0;
  std::int64_t decode_calls = 0;
  std::int64_t busy_slots = 0;  // summed over decode calls
  int tokens_max = 0;
};

// Gives tasks to slots first come first served, and decides when each of their tokens is due by
// the timing model. Runs on the thread of its timer queue.
class Scheduler {
 public:
  Scheduler(EngineConfig config, TimerQueue& timers);

  // The tasks of one request; those of a group start together. They stay alive until they finish,
  // fail or are cancelled.
  using Group = std::vector<std::shared_ptr<Task>>;
  void Submit(std::vector<Group> groups, Ns now);
  // The listener hears no more. A prefill that runs keeps its slot until its batch is done.
  void Cancel(Task& task, Ns now);
  // No task makes another step (what SIGTERM does to a server that streams).
  void Halt() { halted_ = true; }

  [[nodiscard]] const EngineConfig& config() const { return config_; }
  [[nodiscard]] const EngineCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t processing() const { return processing_; }
  [[nodiscard]] std::size_t deferred() const { return waiting_.size(); }
  // The task of a slot, or the last one it had; null when it never had any.
  [[nodiscard]] const std::shared_ptr<Task>& InSlot(int slot) const {
    return by_slot_[static_cast<std::size_t>(slot)];
  }
  [[nodiscard]] bool idle() const { return processing_ == 0 && waiting_.empty(); }

 private:
  void StartWaiting(Ns now);
  bool StartGroup(const Group& group, Ns now);
  void StartTask(const std::shared_ptr<Task>& task, Slot& slot, Ns now, const Task* parent);
  void BeginStep(Ns start);
  void EndStep(Ns scheduled);
  void BeginOwnStep(Task& task, Ns start);
  void EndOwnStep(Task& task, Ns scheduled);
  [[nodiscard]] double StepMs(int sequences, double context, int prefill_tokens) const;
  void Advance(const std::shared_ptr<Task>& task, int prefill_tokens, Ns scheduled);
  void Emit(const std::shared_ptr<Task>& task, Ns scheduled);
  void Finish(const std::shared_ptr<Task>& task, Ns scheduled);
  void Release(Task& task, Ns now);
  void FailAll(Ns now);

  EngineConfig config_;
  TimerQueue& timers_;
  Slots slots_;
  Random random_;
  std::deque<Group> waiting_;
  std::vector<std::shared_ptr<Task>> by_slot_;
  std::size_t processing_ = 0;
  std::int64_t busy_tokens_ = 0;                             // in the caches of busy slots
  std::vector<std::pair<std::shared_ptr<Task>, int>> step_;  // with its tokens of prefill
  Timer step_timer_;
  std::vector<std::shared_ptr<Task>> finished_;  // in the step that ends
  bool stepping_ = false;                        // inside EndStep: it begins the next step itself
  bool halted_ = false;
  EngineCounters counters_;
};

}  // namespace mock
