// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/stream_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mock_server/faults/doom.h"
#include "mock_server/faults/endless.h"
#include "mock_server/server/service.h"

namespace mock {
namespace {

constexpr std::string_view kPing = ":\n\n";
constexpr double kDefaultMib = 256.0;

std::uint64_t Limit(const Fault& fault) {
  return static_cast<std::uint64_t>(std::max(0.0, fault.Number("mib", kDefaultMib)) * 1048576.0);
}

}  // namespace

StreamWriter::StreamWriter(Service& service, std::shared_ptr<Exchange> exchange,
                           std::int64_t request, const ReplyContext& context, Faults faults,
                           std::function<void()> on_late_end)
    : service_(service),
      exchange_(std::move(exchange)),
      request_(request),
      context_(context),
      faults_(std::move(faults)),
      on_late_end_(std::move(on_late_end)),
      events_per_write_(service.options().events_per_write),
      ping_(service.timers(), [this](Ns scheduled) { Ping(scheduled); }),
      resume_(service.timers(), [this](Ns) {
        stalled_ = false;
        Flush();
        if (!finish_when_resumed_) return;
        End(EndsWithDone(context_.api));
        on_late_end_();
      }) {
  if (const Fault* coalesce = faults_.Find("coalesce")) {
    events_per_write_ = static_cast<int>(std::max<std::int64_t>(1, coalesce->Int("events", 4)));
  }
}

void StreamWriter::Open(bool null_event) {
  if (head_sent_) return;
  head_sent_ = true;
  exchange_->Send(
      StreamHead({exchange_->request().Header("origin"), exchange_->keep_alive(), false}));
  last_sent_ = Now();
  const double interval = service_.options().sse_ping_interval_s;
  if (interval > 0.0) ping_.Set(last_sent_ + FromMs(interval * 1e3));
  if (null_event) SendChunk(SseEvent("null"));
  if (faults_.Find("role-early") != nullptr && context_.api == Api::kChat) {
    SendChunk(faults_.Frame(RoleEvent(context_, 0, WallSeconds())));
  }
}

void StreamWriter::Progress(const Task& task, int processed, Ns scheduled) {
  Queue(ProgressEvent(context_, task, processed, scheduled, WallSeconds()));
  Flush();
}

void StreamWriter::Tokens(const Task& task, const TokenEvent& original, Ns scheduled) {
  if (ended_) return;
  const TokenEvent* event = &original;
  TokenEvent corrupted;
  if (!faults_.empty()) {
    const int before = original.decoded - static_cast<int>(original.tokens.size());
    for (const Fault& fault : faults_.Due(before, original.decoded)) {
      if (!Strike(fault, task, original)) return;
    }
    corrupted = faults_.Corrupt(original);
    event = &corrupted;
  }
  const std::string text = PartialEvent(context_, task, *event, WallSeconds());
  if (text.empty()) {
    service_.truth().Chunk(request_, task.index(), sequence_++, *event, false, scheduled, Now());
    return;
  }
  Queue(text);
  if (queued_events_ < events_per_write_ || stalled_) {
    held_.push_back({task.index(), sequence_++, *event, scheduled});
    return;
  }
  const std::int64_t sequence = sequence_++;
  LogHeld();
  const Ns now = Now();
  Flush();
  service_.truth().Chunk(request_, task.index(), sequence, *event, true, scheduled, now);
}

void StreamWriter::Queue(std::string_view events) {
  if (faults_.empty()) {
    queued_ += events;
  } else {
    queued_ += faults_.Frame(events);
  }
  ++queued_events_;
}

void StreamWriter::LogHeld() {
  for (const Held& held : std::exchange(held_, {})) {
    service_.truth().Chunk(request_, held.index, held.sequence, held.event, true, held.scheduled,
                           Now());
  }
}

void StreamWriter::Flush() {
  if (queued_.empty() || stalled_ || ended_) return;
  LogHeld();
  SendChunk(queued_);
  queued_.clear();
  queued_events_ = 0;
}

void StreamWriter::SendChunk(std::string_view payload) {
  if (chunk_size_.empty()) {
    exchange_->Send(ChunkOf(payload));
  } else {
    exchange_->Send(fmt::format("{}\r\n{}\r\n", std::exchange(chunk_size_, {}), payload));
  }
  last_sent_ = Now();
}

void StreamWriter::Ping(Ns scheduled) {
  const Ns interval = FromMs(service_.options().sse_ping_interval_s * 1e3);
  if (last_sent_ + interval > scheduled) {
    ping_.Set(last_sent_ + interval);
    return;
  }
  if (!stalled_) SendChunk(kPing);
  ping_.Set(Now() + interval);
}

void StreamWriter::Stall(const Fault& fault) {
  Flush();
  stalled_ = true;
  const double ms = fault.Number("ms", -1.0);
  if (ms >= 0.0) resume_.Set(Now() + FromMs(ms));
}

// False: the stream has ended, or its bytes are no longer ours.
bool StreamWriter::Strike(const Fault& fault, const Task& task, const TokenEvent& event) {
  service_.truth().Fault(request_, fault.type(), Now());
  if (fault.Is("stall")) {
    Stall(fault);
  } else if (fault.Is("end")) {
    Flush();
    EndWith(fault.Text("how", "close"));
    return false;
  } else if (fault.Is("truncated-chunk")) {
    Flush();
    const std::string chunk = ChunkOf(PartialEvent(context_, task, event, WallSeconds()));
    exchange_->Send(std::string_view(chunk).substr(0, chunk.size() / 2));
    EndWith("close");
    return false;
  } else if (fault.Is("chunk-size")) {
    Flush();
    chunk_size_ = fault.Text("value", "-5");
  } else if (fault.Is("error-event")) {
    Flush();
    ApiError error{static_cast<int>(fault.Int("code", 500)),
                   fault.Text("message", "Context size has been exceeded."), "server_error",
                   Json::object()};
    SendError(error.Body(), fault.Text("form", "data") == "error");
    return false;
  } else if (fault.Is("endless-line") || fault.Is("endless-events")) {
    Flush();
    const bool line = fault.Is("endless-line");
    // In chunks whose size is right, so that only the events are wrong.
    const std::string event_text = PartialEvent(context_, task, event, WallSeconds());
    if (line) SendChunk("data: {\"content\":\"");
    ended_ = true;
    handed_over_ = true;
    ping_.Cancel();
    Endless::Start(exchange_, service_.timers(),
                   ChunkOf(line ? std::string(4'096, 'w') : event_text), Limit(fault));
    return false;
  } else if (fault.place() == FaultPlace::kProcess) {
    Flush();
    service_.Doomed(fault);
  } else if (const std::string injected = InjectedEvent(fault); !injected.empty()) {
    Queue(injected);
    Flush();
  }
  return true;
}

void StreamWriter::Finish(const Task& task, bool last) {
  if (ended_) return;
  if (faults_.Find("no-finish") == nullptr) {
    const std::string event = FinalEvent(context_, task, WallSeconds());
    Queue(faults_.empty() ? event : faults_.EditUsage(event));
  }
  if (!last) {
    Flush();
  } else if (stalled_) {
    finish_when_resumed_ = true;
  } else {
    End(EndsWithDone(context_.api));
  }
}

void StreamWriter::End(bool done_event) {
  LogHeld();
  std::string bytes;
  if (!queued_.empty()) bytes = ChunkOf(queued_);
  queued_.clear();
  if (done_event && faults_.Find("no-done") == nullptr) bytes += ChunkOf(faults_.Frame(kDoneEvent));
  const Fault* no_last = faults_.Find("no-last-chunk");
  if (no_last == nullptr) bytes += kLastChunk;
  exchange_->Send(bytes);
  // A stream is followed by a close although its head promised to keep the connection.
  EndWith(no_last == nullptr ? "close" : no_last->Text("how", "close"));
}

void StreamWriter::EndWith(std::string_view how) {
  ended_ = true;
  ping_.Cancel();
  if (const auto doom = ParseDoom(how)) service_.Doomed(*doom);
  if (how == "stall") return;
  exchange_->Finish(how == "reset" ? Ending::kReset : Ending::kClose);
}

void StreamWriter::SendError(const std::string& body, bool old_form) {
  if (old_form) {
    // Older servers used a field of their own, and said [DONE] all the same.
    SendChunk(fmt::format("error: {}\n\n", Dump(Json::parse(body)["error"])));
    SendChunk(kDoneEvent);
  } else {
    SendChunk(SseEvent(body));
  }
  exchange_->Send(kLastChunk);
  EndWith("close");
}

void StreamWriter::Fail(const ApiError& error) {
  if (ended_) return;
  Flush();
  SendError(error.Body(), service_.options().dialect.build == kOld);
}

void StreamWriter::Abandon() {
  if (ended_) return;
  exchange_->Send(ChunkOf(kPing));
  EndWith("close");
}

}  // namespace mock
