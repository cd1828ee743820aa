// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mock {
namespace {

// llama-server's clock of its own work has this resolution.
double RoundToMicroseconds(Ns t) { return static_cast<double>(t / kMicrosecond) / 1e3; }

ApiError PromptTooLong(std::size_t tokens, int context) {
  ApiError error;
  error.message = fmt::format(
      "request ({} tokens) exceeds the available context size ({} tokens), try increasing it",
      tokens, context);
  error.type = "exceed_context_size_error";
  error.extra = Json{{"n_prompt_tokens", tokens}, {"n_ctx", context}};
  return error;
}

}  // namespace

Task::Task(int id, std::uint64_t seed, std::shared_ptr<const GenerationParams> params,
           Tokens prompt, int index, TaskListener& listener, int context)
    : id_(id),
      params_(std::move(params)),
      prompt_(std::move(prompt)),
      index_(index),
      listener_(listener),
      generation_(*params_, prompt_.back(), static_cast<int>(prompt_.size()), context),
      random_(seed) {}

int Task::tokens_in_slot() const {
  return busy() ? static_cast<int>(slot_->tokens.size()) : tokens_at_end_;
}

Timings Task::timings() const {
  Timings t;
  t.cache_n = cached_;
  t.prompt_n = static_cast<int>(prompt_.size()) - cached_;
  t.prompt_ms = std::max(0.001, RoundToMicroseconds(first_token_ - started_));
  t.predicted_n = generation_.decoded();
  t.predicted_ms = std::max(0.001, RoundToMicroseconds(last_token_ - first_token_));
  return t;
}

Scheduler::Scheduler(EngineConfig config, TimerQueue& timers)
    : config_(std::move(config)),
      timers_(timers),
      slots_(config_.slots, config_.slot_similarity, config_.stored_prompts),
      random_(MixSeed(config_.seed, 0)),
      by_slot_(static_cast<std::size_t>(config_.slots)),
      step_timer_(timers, [this](Ns scheduled) { EndStep(scheduled); }) {}

void Scheduler::Submit(std::vector<Group> groups, Ns now) {
  const bool alone = groups.size() == 1 && groups.front().size() == 1;
  for (Group& group : groups) {
    for (const std::shared_ptr<Task>& task : group) task->alone_ = alone;
    waiting_.push_back(std::move(group));
  }
  StartWaiting(now);
}

void Scheduler::Cancel(Task& task, Ns now) {
  task.cancelled_ = true;
  if (task.state_ == Task::State::kDecode) {
    Release(task, now);
    StartWaiting(now);
    return;
  }
  if (task.state_ != Task::State::kWaiting) return;
  for (Group& group : waiting_) {
    std::erase_if(group, [&task](const auto& waiting) { return waiting.get() == &task; });
  }
  std::erase_if(waiting_, [](const Group& group) { return group.empty(); });
}

void Scheduler::StartWaiting(Ns now) {
  while (!waiting_.empty() && !halted_) {
    const Group group = waiting_.front();
    if (slots_.free() < group.size()) break;
    waiting_.pop_front();
    if (!StartGroup(group, now)) {
      waiting_.push_front(group);
      break;
    }
  }
  // Only now: tasks that start together share their first step.
  if (config_.model.batched && !stepping_ && !step_timer_.pending()) BeginStep(now);
}

bool Scheduler::StartGroup(const Group& group, Ns now) {
  const int wanted = group.front()->params().id_slot;
  Slot* slot = nullptr;
  if (wanted >= 0) {
    // A number that is too big wraps around, as there.
    slot = &slots_.all()[static_cast<std::size_t>(wanted % config_.slots)];
    if (slot->busy) return false;
    slots_.Prepare(*slot, group.front()->prompt());
  } else {
    slot = slots_.Choose(group.front()->prompt());
  }
  StartTask(group.front(), *slot, now, nullptr);
  for (std::size_t i = 1; i < group.size(); ++i) {
    StartTask(group[i], *slots_.LeastRecent(slot), now, group.front().get());
  }
  return true;
}

void Scheduler::StartTask(const std::shared_ptr<Task>& task, Slot& slot, Ns now,
                          const Task* parent) {
  slots_.Occupy(slot);
  by_slot_[static_cast<std::size_t>(slot.id)] = task;
  ++processing_;
  task->slot_ = &slot;
  task->started_ = now;
  task->state_ = Task::State::kPrefill;
  if (static_cast<int>(task->prompt_.size()) >= config_.context_per_slot) {
    Release(*task, now);
    task->listener_.OnFailed(*task, PromptTooLong(task->prompt_.size(), config_.context_per_slot));
    return;
  }
  int cached = 0;
  task->child_ = parent != nullptr;
  if (parent != nullptr) {
    cached = parent->cached_;
    slot.tokens = parent->slot_ != nullptr ? parent->slot_->tokens : Tokens();
  } else if (task->params().cache_prompt) {
    // The last token is always evaluated: its result is the first token of the answer.
    cached = static_cast<int>(
        std::min(CommonPrefix(slot.tokens, task->prompt_), task->prompt_.size() - 1));
  }
  task->cached_ = cached;
  task->prefilled_ = cached;
  slot.tokens.assign(task->prompt_.begin(), task->prompt_.begin() + cached);
  busy_tokens_ += cached;
  counters_.cached_tokens += cached;
  slots_.StoreIdle();
  task->listener_.OnSlot(*task);
  if (task->state_ != Task::State::kPrefill) return;
  if (task->params().return_progress) task->listener_.OnProgress(*task, cached, now);
  if (config_.model.batched || task->state_ != Task::State::kPrefill) return;
  task->timer_ = std::make_unique<Timer>(
      timers_, [this, raw = task.get()](Ns scheduled) { EndOwnStep(*raw, scheduled); });
  BeginOwnStep(*task, now);
}

double Scheduler::StepMs(int sequences, double context, int prefill_tokens) const {
  const TimingModel& model = config_.model;
  if (sequences == 0) return model.PrefillMs(prefill_tokens);
  // Together with a decode step the weights are read once for both.
  return model.StepMs(sequences, context, config_.flash_attention) +
         model.prefill_token_ms * prefill_tokens;
}

void Scheduler::BeginStep(Ns start) {
  if (halted_) return;
  int room = config_.batch;
  int sequences = 0;
  int prefill = 0;
  double context = 0.0;
  for (const std::shared_ptr<Task>& task : by_slot_) {
    if (task == nullptr || !task->busy()) continue;
    if (task->state_ == Task::State::kDecode) {
      step_.emplace_back(task, 0);
      ++sequences;
      --room;
      context += static_cast<double>(task->slot_->tokens.size());
    }
  }
  for (const std::shared_ptr<Task>& task : by_slot_) {
    if (task == nullptr || task->state_ != Task::State::kPrefill || room <= 0) continue;
    const int left = static_cast<int>(task->prompt_.size()) - task->prefilled_;
    const int tokens = std::min(left, room);
    room -= tokens;
    prefill += tokens;
    step_.emplace_back(task, tokens);
  }
  if (step_.empty()) return;
  ++counters_.decode_calls;
  counters_.busy_slots += static_cast<std::int64_t>(step_.size());
  std::sort(step_.begin(), step_.end(),
            [](const auto& a, const auto& b) { return a.first->slot() < b.first->slot(); });
  const double ms = StepMs(sequences, context, prefill) * config_.model.jitter.Draw(random_);
  step_timer_.Set(start + FromMs(ms));
}

void Scheduler::EndStep(Ns scheduled) {
  const auto step = std::exchange(step_, {});
  stepping_ = true;
  for (const auto& [task, prefill] : step) {
    if (task->busy()) Advance(task, prefill, scheduled);
  }
  for (const std::shared_ptr<Task>& task : std::exchange(finished_, {})) {
    if (task->busy()) Finish(task, scheduled);
  }
  stepping_ = false;
  BeginStep(scheduled);
}

void Scheduler::BeginOwnStep(Task& task, Ns start) {
  if (halted_) return;
  double ms = 0.0;
  if (task.state_ == Task::State::kPrefill) {
    const int left = static_cast<int>(task.prompt_.size()) - task.prefilled_;
    ms = StepMs(0, 0.0, std::min(left, config_.batch));
  } else {
    ms = StepMs(1, static_cast<double>(task.slot_->tokens.size()), 0);
  }
  ++counters_.decode_calls;
  counters_.busy_slots += 1;
  task.timer_->Set(start + FromMs(ms * config_.model.jitter.Draw(task.random_)));
}

void Scheduler::EndOwnStep(Task& task, Ns scheduled) {
  const std::shared_ptr<Task> held = by_slot_[static_cast<std::size_t>(task.slot_->id)];
  const int left = static_cast<int>(task.prompt_.size()) - task.prefilled_;
  Advance(held, task.state_ == Task::State::kPrefill ? std::min(left, config_.batch) : 0,
          scheduled);
  if (held->busy()) BeginOwnStep(*held, scheduled);
}

void Scheduler::Advance(const std::shared_ptr<Task>& task, int prefill_tokens, Ns scheduled) {
  if (task->cancelled_) {
    Release(*task, scheduled);
    StartWaiting(scheduled);
    return;
  }
  if (task->state_ == Task::State::kPrefill) {
    const auto from = task->prompt_.begin() + task->prefilled_;
    task->slot_->tokens.insert(task->slot_->tokens.end(), from, from + prefill_tokens);
    task->prefilled_ += prefill_tokens;
    busy_tokens_ += prefill_tokens;
    counters_.prompt_tokens += prefill_tokens;
    if (task->params().return_progress) {
      task->listener_.OnProgress(*task, task->prefilled_, scheduled);
    }
    if (task->prefilled_ < static_cast<int>(task->prompt_.size())) return;
    if (task->state_ != Task::State::kPrefill) return;
    task->state_ = Task::State::kDecode;
    task->first_token_ = scheduled;
    counters_.prompt_seconds += static_cast<double>(scheduled - task->started_) / 1e9;
    task->listener_.OnPrefilled(*task, scheduled);
    if (task->state_ != Task::State::kDecode) return;
  } else if (task->pending_) {
    task->slot_->tokens.push_back(*task->pending_);
    ++busy_tokens_;
  }
  Emit(task, scheduled);
}

void Scheduler::Emit(const std::shared_ptr<Task>& task, Ns scheduled) {
  if (config_.unified_kv && busy_tokens_ >= config_.context_total) {
    FailAll(scheduled);
    return;
  }
  const TokenEvent event = task->generation_.Step(config_.tokens_per_chunk);
  for (std::size_t i = 0; i + 1 < event.tokens.size(); ++i) {
    task->slot_->tokens.push_back(event.tokens[i].id);
    ++busy_tokens_;
  }
  task->pending_ = event.tokens.back().id;
  task->last_token_ = scheduled;
  counters_.predicted_tokens += static_cast<std::int64_t>(event.tokens.size());
  counters_.tokens_max = std::max(counters_.tokens_max, static_cast<int>(task->prompt_.size()) +
                                                            task->generation_.decoded() - 1);
  task->listener_.OnTokens(*task, event, scheduled);
  if (!task->busy() || !task->generation_.finished()) return;
  // The end of an answer is long: other clients' tokens that are due now go first. Choices of one
  // request keep their order.
  if (stepping_ && task->alone_) {
    finished_.push_back(task);
  } else {
    Finish(task, scheduled);
  }
}

void Scheduler::Finish(const std::shared_ptr<Task>& task, Ns scheduled) {
  counters_.predicted_seconds += task->timings().predicted_ms / 1e3;
  task->listener_.OnFinished(*task, scheduled);
  if (task->busy()) Release(*task, scheduled);
  StartWaiting(scheduled);
}

void Scheduler::Release(Task& task, Ns now) {
  task.tokens_at_end_ = static_cast<int>(task.slot_->tokens.size());
  busy_tokens_ -= task.tokens_at_end_;
  // What was copied from another slot for a further choice is not kept.
  if (task.child_) task.slot_->tokens.clear();
  task.state_ = Task::State::kDone;
  if (task.timer_ != nullptr) task.timer_->Cancel();
  slots_.Release(*task.slot_, now);
  --processing_;
}

void Scheduler::FailAll(Ns now) {
  const ApiError full{500, "Context size has been exceeded.", "server_error", Json::object()};
  const std::vector<std::shared_ptr<Task>> tasks = by_slot_;
  for (const std::shared_ptr<Task>& task : tasks) {
    if (task == nullptr || !task->busy()) continue;
    Release(*task, now);
    if (!task->cancelled_) task->listener_.OnFailed(*task, full);
  }
  slots_.ForgetIdle();
  StartWaiting(now);
}

}  // namespace mock
