// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/completion_job.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "mock_server/server/service.h"

namespace mock {
namespace {

// A connection whose answer is not streamed is looked at this often.
constexpr Ns kCancelDelay = kSecond;

// Keeps the timing of tasks apart that belong to one request.
constexpr std::uint64_t kMostTasks = 4'096;

}  // namespace

CompletionJob::CompletionJob(Service& service, std::shared_ptr<Exchange> exchange,
                             std::int64_t request, ReplyContext context,
                             std::shared_ptr<const GenerationParams> params, const Faults& faults)
    : service_(service),
      exchange_(std::move(exchange)),
      request_(request),
      context_(std::move(context)),
      params_(std::move(params)),
      process_faults_(FaultsAt(faults, FaultPlace::kProcess)),
      cancel_(service.timers(), [this](Ns) {
        CancelTasks();
        Retire();
      }) {
  if (!params_->stream) return;
  Faults stream_faults = FaultsAt(faults, FaultPlace::kStream);
  std::copy(process_faults_.begin(), process_faults_.end(), std::back_inserter(stream_faults));
  stream_.emplace(service_, exchange_, request_, context_, std::move(stream_faults),
                  [this] { Retire(); });
}

CompletionJob::~CompletionJob() {
  if (!retired_) exchange_->Watch(nullptr);
}

void CompletionJob::Start(std::vector<Tokens> prompts, int choices) {
  many_prompts_ = prompts.size() > 1;
  list_ = many_prompts_ || choices > 1;
  exchange_->Watch(this);
  const Ns now = Now();
  std::vector<Scheduler::Group> groups;
  int index = 0;
  for (const Tokens& prompt : prompts) {
    Scheduler::Group& group = groups.emplace_back();
    for (int choice = 0; choice < choices; ++choice, ++index) {
      const std::uint64_t stream =
          static_cast<std::uint64_t>(request_) * kMostTasks + static_cast<std::uint64_t>(index) + 1;
      group.push_back(std::make_shared<Task>(
          service_.NextTaskId(), MixSeed(service_.options().seed, stream), params_, prompt, index,
          *this, service_.engine().context_per_slot));
      choices_.push_back({group.back(), {}, {}});
    }
  }
  open_ = choices_.size();
  service_.scheduler().Submit(std::move(groups), now);
}

void CompletionJob::StrikeAt(std::string_view moment) {
  for (const Fault& fault : process_faults_) {
    if (!fault.Has("token") && fault.Text("at", "received") == moment) {
      service_.truth().Fault(request_, fault.type(), Now());
      service_.Doomed(fault);
    }
  }
}

void CompletionJob::OnSlot(Task& task) {
  service_.truth().SlotAssigned(request_, task.index(), task.slot(), Now());
  service_.log().Slot(task.slot(), task.id(), "launch_slot_", "processing task, is_child = {}",
                      task.index() > 0 && !many_prompts_ ? 1 : 0);
  if (stream_) stream_->Open(many_prompts_);
  StrikeAt("slot");
}

void CompletionJob::OnProgress(Task& task, int processed, Ns scheduled) {
  if (stream_) stream_->Progress(task, processed, scheduled);
}

void CompletionJob::OnPrefilled(Task& task, Ns scheduled) {
  service_.truth().Prefilled(request_, task.index(), static_cast<int>(task.prompt().size()),
                             task.cached(), scheduled, Now());
  StrikeAt("prefilled");
}

void CompletionJob::OnTokens(Task& task, const TokenEvent& event, Ns scheduled) {
  if (stream_) {
    stream_->Tokens(task, event, scheduled);
    if (stream_->ended()) {
      CancelTasks();
      Retire();
    }
    return;
  }
  FinishedChoice& choice = choices_[static_cast<std::size_t>(task.index())];
  choice.tokens.insert(choice.tokens.end(), event.tokens.begin(), event.tokens.end());
  if (event.sends) {
    choice.shown.insert(choice.shown.end(), event.tokens.begin(),
                        event.tokens.begin() + static_cast<std::ptrdiff_t>(event.shown));
  }
  service_.truth().Chunk(request_, task.index(), chunks_++, event, false, scheduled, Now());
  for (const Fault& fault : process_faults_) {
    const std::int64_t token = fault.Int("token", 0);
    const int before = event.decoded - static_cast<int>(event.tokens.size());
    if (token > before && token <= event.decoded) service_.Doomed(fault);
  }
}

void CompletionJob::LogFinished(const Task& task) {
  Log& log = service_.log();
  const Timings t = task.timings();
  log.Slot(task.slot(), task.id(), "print_timing",
           "prompt eval time = {:10.2f} ms / {:5} tokens ({:8.2f} ms per token, {:8.2f} tokens per "
           "second)",
           t.prompt_ms, t.prompt_n, t.prompt_ms / t.prompt_n, 1e3 / t.prompt_ms * t.prompt_n);
  log.Slot(task.slot(), task.id(), "print_timing",
           "       eval time = {:10.2f} ms / {:5} tokens ({:8.2f} ms per token, {:8.2f} tokens per "
           "second)",
           t.predicted_ms, t.predicted_n, t.predicted_ms / t.predicted_n,
           1e3 / t.predicted_ms * t.predicted_n);
  log.Slot(task.slot(), task.id(), "print_timing", "      total time = {:10.2f} ms / {:5} tokens",
           t.prompt_ms + t.predicted_ms, t.prompt_n + t.predicted_n);
  log.Slot(task.slot(), task.id(), "release", "stop processing: n_tokens = {}, truncated = {}",
           task.tokens_in_slot(), task.generation().truncated() ? 1 : 0);
}

void CompletionJob::OnFinished(Task& task, Ns scheduled) {
  service_.truth().Finished(request_, task.index(), FinishReason(task), task.generation().decoded(),
                            scheduled, Now());
  --open_;
  if (stream_) {
    stream_->Finish(task, open_ == 0);
    if (stream_->ended()) Retire();
  } else if (open_ == 0) {
    Answer();
  }
  // After the bytes: a log line may block when nobody reads it.
  LogFinished(task);
}

void CompletionJob::Answer() {
  HttpReply reply;
  reply.body = WholeAnswer(context_, choices_, list_, WallSeconds());
  Retire();
  service_.Reply(*exchange_, std::move(reply));
}

void CompletionJob::OnFailed(Task& task, const ApiError& error) {
  if (retired_) return;
  (void)task;
  service_.truth().Failed(request_, error.status, error.message, Now());
  CancelTasks();
  if (stream_ && stream_->open()) {
    stream_->Fail(error);
    Retire();
  } else {
    Retire();
    service_.Reply(*exchange_, error);
  }
}

void CompletionJob::CancelTasks() {
  const Ns now = Now();
  for (const FinishedChoice& choice : choices_) service_.scheduler().Cancel(*choice.task, now);
}

void CompletionJob::OnDisconnected() {
  service_.truth().Disconnected(request_, stream_ ? stream_->events() : chunks_, Now());
  exchange_->Watch(nullptr);
  if (stream_ && stream_->open()) {
    CancelTasks();
    Retire();
  } else {
    cancel_.Set(Now() + kCancelDelay);
  }
}

void CompletionJob::Halt() {
  if (stream_) stream_->Halt();
}

void CompletionJob::Abandon() {
  if (retired_) return;
  if (stream_ && stream_->open()) {
    stream_->Abandon();
  } else {
    exchange_->Finish(Ending::kClose);
  }
  Retire();
}

void CompletionJob::Retire() {
  if (retired_) return;
  retired_ = true;
  cancel_.Cancel();
  if (!stream_ || !stream_->handed_over()) exchange_->Watch(nullptr);
  service_.Retire(request_);
}

}  // namespace mock
