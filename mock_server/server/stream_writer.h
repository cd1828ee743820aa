// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mock_server/api/replies.h"
#include "mock_server/engine/scheduler.h"
#include "mock_server/engine/timer_queue.h"
#include "mock_server/faults/stream_faults.h"
#include "mock_server/http/exchange.h"

namespace mock {

class Service;

// The bytes of one streamed completion: head, events, pings, end; applies the stream's faults and
// writes the truth about each event. Ended once, it ignores all else. `on_late_end` is called when
// it ends by its own clock, after a stall.
class StreamWriter {
 public:
  StreamWriter(Service& service, std::shared_ptr<Exchange> exchange, std::int64_t request,
               const ReplyContext& context, Faults faults, std::function<void()> on_late_end);

  [[nodiscard]] bool open() const { return head_sent_; }
  [[nodiscard]] bool ended() const { return ended_; }
  // A fault writes to the exchange now, and watches it.
  [[nodiscard]] bool handed_over() const { return handed_over_; }
  [[nodiscard]] std::int64_t events() const { return sequence_; }

  // Sends the head; again: nothing.
  void Open(bool null_event);
  void Progress(const Task& task, int processed, Ns scheduled);
  void Tokens(const Task& task, const TokenEvent& event, Ns scheduled);
  // The last one ends the stream.
  void Finish(const Task& task, bool last);
  void Fail(const ApiError& error);

  // No more pings.
  void Halt() { ping_.Cancel(); }
  // A ping and the end of the connection, without an end marker.
  void Abandon();

 private:
  struct Held {
    int index;
    std::int64_t sequence;
    TokenEvent event;
    Ns scheduled;
  };

  void Queue(std::string_view events);
  void Flush();
  void LogHeld();
  void SendChunk(std::string_view payload);
  void Ping(Ns scheduled);
  bool Strike(const Fault& fault, const Task& task, const TokenEvent& event);
  void Stall(const Fault& fault);
  void SendError(const std::string& body, bool old_form);
  void EndWith(std::string_view how);
  void End(bool done_event);

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  std::int64_t request_;
  const ReplyContext& context_;
  StreamFaults faults_;
  std::function<void()> on_late_end_;
  int events_per_write_;
  bool head_sent_ = false;
  bool ended_ = false;
  bool handed_over_ = false;
  bool stalled_ = false;
  bool finish_when_resumed_ = false;
  std::int64_t sequence_ = 0;
  std::string queued_;
  int queued_events_ = 0;
  std::vector<Held> held_;  // events in queued_, for the truth log
  std::string chunk_size_;  // a false size for the next chunk
  Ns last_sent_ = 0;
  Timer ping_;
  Timer resume_;
};

}  // namespace mock
