// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/completion_job.h"

#include <algorithm>
#include <utility>

#include "mock_server/server/service.h"

namespace mock {
namespace {

constexpr std::string_view kPing = ":\n\n";
// A connection whose answer is not streamed is looked at this often.
constexpr Ns kCancelDelay = kSecond;

}  // namespace

CompletionJob::CompletionJob(Service& service, std::shared_ptr<Exchange> exchange,
                             std::int64_t request, ReplyContext context,
                             std::shared_ptr<const GenerationParams> params)
    : service_(service),
      exchange_(std::move(exchange)),
      request_(request),
      context_(std::move(context)),
      params_(std::move(params)),
      ping_(service.timers(), [this](Ns scheduled) { Ping(scheduled); }),
      cancel_(service.timers(), [this](Ns) {
        CancelTasks();
        Retire();
      }) {}

CompletionJob::~CompletionJob() { exchange_->Watch(nullptr); }

void CompletionJob::Start(std::vector<Tokens> prompts, int choices) {
  many_prompts_ = prompts.size() > 1;
  list_ = many_prompts_ || choices > 1;
  exchange_->Watch(this);
  const Ns now = Now();
  std::vector<std::vector<std::shared_ptr<Task>>> groups;
  int index = 0;
  for (Tokens& prompt : prompts) {
    auto& group = groups.emplace_back();
    for (int choice = 0; choice < choices; ++choice, ++index) {
      const auto stream = static_cast<std::uint64_t>(request_ * 64 + index + 1);
      group.push_back(std::make_shared<Task>(
          service_.NextTaskId(), MixSeed(service_.options().seed, stream), params_, prompt, index,
          *this, service_.engine().context_per_slot));
      choices_.push_back({group.back(), {}, {}});
    }
  }
  open_ = choices_.size();
  for (auto& group : groups) {
    if (!retired_) service_.scheduler().Submit(std::move(group), now);
  }
}

void CompletionJob::OnSlot(Task& task) {
  service_.truth().SlotAssigned(request_, task.index(), task.slot(), Now());
  Log& log = service_.log();
  log.Slot(task.slot(), task.id(), "launch_slot_", "processing task, is_child = {}",
           task.index() > 0 && !many_prompts_ ? 1 : 0);
  if (params_->stream) SendHead();
}

void CompletionJob::SendHead() {
  if (head_sent_) return;
  head_sent_ = true;
  exchange_->Send(
      StreamHead({exchange_->request().Header("origin"), exchange_->keep_alive(), false}));
  last_sent_ = Now();
  const double interval = service_.options().sse_ping_interval_s;
  if (interval > 0.0) ping_.Set(last_sent_ + FromMs(interval * 1e3));
  if (many_prompts_) exchange_->Send(ChunkOf(SseEvent("null")));
}

void CompletionJob::OnProgress(Task& task, int processed, Ns scheduled) {
  if (!params_->stream) return;
  Queue(ProgressEvent(context_, task, processed, scheduled, WallSeconds()));
  SendQueued();
}

void CompletionJob::OnPrefilled(Task& task, Ns scheduled) {
  service_.truth().Prefilled(request_, task.index(), static_cast<int>(task.prompt().size()),
                             task.cached(), scheduled, Now());
}

void CompletionJob::OnTokens(Task& task, const TokenEvent& event, Ns scheduled) {
  if (params_->stream) {
    SendTokens(task, event, scheduled);
    return;
  }
  FinishedChoice& choice = choices_[static_cast<std::size_t>(task.index())];
  choice.tokens.insert(choice.tokens.end(), event.tokens.begin(), event.tokens.end());
  if (event.sends && params_->n_probs > 0) {
    choice.shown.insert(choice.shown.end(), event.tokens.begin(),
                        event.tokens.begin() + static_cast<std::ptrdiff_t>(event.shown));
  }
  service_.truth().Chunk(request_, task.index(), sequence_++, event, false, scheduled, Now());
}

void CompletionJob::SendTokens(const Task& task, const TokenEvent& event, Ns scheduled) {
  std::string text = PartialEvent(context_, task, event, WallSeconds());
  const bool sent = !text.empty();
  if (sent) Queue(std::move(text));
  if (sent && queued_events_ < service_.options().events_per_write) {
    held_.push_back({task.index(), sequence_++, event, scheduled});
    return;
  }
  const Ns now = Now();
  if (sent) SendQueued();
  service_.truth().Chunk(request_, task.index(), sequence_++, event, sent, scheduled, now);
}

void CompletionJob::Queue(std::string event) {
  queued_ += event;
  ++queued_events_;
}

void CompletionJob::SendQueued() {
  if (queued_.empty()) return;
  LogHeld();
  exchange_->Send(ChunkOf(queued_));
  queued_.clear();
  queued_events_ = 0;
  last_sent_ = Now();
}

void CompletionJob::LogHeld() {
  for (const Held& held : std::exchange(held_, {})) {
    service_.truth().Chunk(request_, held.index, held.sequence, held.event, true, held.scheduled,
                           Now());
  }
}

void CompletionJob::Ping(Ns scheduled) {
  const Ns interval = FromMs(service_.options().sse_ping_interval_s * 1e3);
  if (last_sent_ + interval > scheduled) {
    ping_.Set(last_sent_ + interval);
    return;
  }
  exchange_->Send(ChunkOf(kPing));
  last_sent_ = Now();
  ping_.Set(last_sent_ + interval);
}

void CompletionJob::OnFinished(Task& task, Ns scheduled) {
  const Generation& generation = task.generation();
  service_.truth().Finished(request_, task.index(), FinishReason(task), generation.decoded(),
                            scheduled, Now());
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
           task.tokens_in_slot(), generation.truncated() ? 1 : 0);
  --open_;
  if (params_->stream) {
    Queue(FinalEvent(context_, task, WallSeconds()));
    if (open_ > 0) {
      SendQueued();
    } else {
      EndStream();
    }
  } else if (open_ == 0) {
    Answer();
  }
}

void CompletionJob::EndStream() {
  std::string bytes;
  LogHeld();
  if (!queued_.empty()) bytes = ChunkOf(queued_);
  queued_.clear();
  if (EndsWithDone(context_.api)) bytes += ChunkOf(kDoneEvent);
  bytes += kLastChunk;
  exchange_->Send(bytes);
  // A stream is followed by a close although its head promised to keep the connection.
  exchange_->Finish(Ending::kClose);
  Retire();
}

void CompletionJob::Answer() {
  HttpReply reply;
  reply.body = WholeAnswer(context_, choices_, list_, WallSeconds());
  service_.Reply(*exchange_, std::move(reply));
  Retire();
}

void CompletionJob::OnFailed(Task& task, const ApiError& error) {
  if (retired_) return;
  service_.truth().Failed(request_, error.status, error.message, Now());
  CancelTasks();
  if (head_sent_) {
    SendQueued();
    const bool old = service_.options().dialect.build == kOld;
    // Older servers used a field of their own, and said [DONE] all the same.
    const std::string body = error.Body();
    std::string bytes =
        old ? ChunkOf("error: " + Dump(Json::parse(body)["error"]) + "\n\n") + ChunkOf(kDoneEvent)
            : ChunkOf(SseEvent(body));
    bytes += kLastChunk;
    exchange_->Send(bytes);
    exchange_->Finish(Ending::kClose);
  } else {
    service_.Reply(*exchange_, error);
  }
  (void)task;
  Retire();
}

void CompletionJob::CancelTasks() {
  for (const FinishedChoice& choice : choices_) {
    service_.scheduler().Cancel(*choice.task, Now());
  }
}

void CompletionJob::OnDisconnected() {
  service_.truth().Disconnected(request_, sequence_, Now());
  exchange_->Watch(nullptr);
  if (params_->stream && head_sent_) {
    CancelTasks();
    Retire();
  } else {
    cancel_.Set(Now() + kCancelDelay);
  }
}

void CompletionJob::Halt() {
  if (!head_sent_) return;
  ping_.Cancel();
}

void CompletionJob::Abandon() {
  if (retired_) return;
  if (head_sent_) exchange_->Send(ChunkOf(kPing));
  exchange_->Finish(Ending::kClose);
  Retire();
}

void CompletionJob::Retire() {
  if (retired_) return;
  retired_ = true;
  ping_.Cancel();
  cancel_.Cancel();
  exchange_->Watch(nullptr);
  service_.Retire(request_);
}

}  // namespace mock
