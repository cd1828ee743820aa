// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string_view>

#include "backend/model.h"
#include "backend/wire/completion_delta.h"
#include "backend/wire/sse_decoder.h"

namespace rocm::wire {

struct EventFields;

// Gives the events of one stream their meaning, for one Api, and keeps the sums: how many tokens,
// by which source, how it ended. Understands llama-server old and new, and the OpenAI dialect of
// other servers. Only the first choice is read. Malformed JSON, nesting deeper than 64, an end
// marker without a finish reason and a finish reason that stands for a failure are errors.
// Not thread-safe.
class CompletionDecoder {
 public:
  explicit CompletionDecoder(Api api) : api_(api) {}

  // Clears `delta`, then fills it. After an error or the end marker, further events say nothing.
  void Decode(const SseEvent& event, CompletionDelta& delta);

  // The end marker came, and no error before it.
  [[nodiscard]] bool complete() const { return ended_ && !failed_; }
  [[nodiscard]] bool failed() const { return failed_; }

  // What is known so far. Where no usage block came, its numbers are the best known ones.
  [[nodiscard]] Completion completion() const;
  // Tokens generated, and where the number comes from: what the server said event by event, the
  // usage block, the server's timings, else the number of events that carried content.
  [[nodiscard]] int tokens() const;
  [[nodiscard]] TokenSource token_source() const;
  [[nodiscard]] std::int64_t events() const { return events_; }

 private:
  void Fail(CompletionDelta& delta, Error error);
  // False: the event said all that it had to say.
  bool Parse(std::string_view data, CompletionDelta& delta, EventFields& fields);
  void Interpret(std::string_view data, CompletionDelta& delta, const EventFields& fields);
  void Account(CompletionDelta& delta, const EventFields& fields);
  void Finish(CompletionDelta& delta, const EventFields& fields);
  [[nodiscard]] std::int64_t Total() const;  // as the server reported it, or -1

  Api api_;
  bool ended_ = false;
  bool failed_ = false;
  bool finished_ = false;  // a finish reason came
  bool has_usage_ = false;
  bool counts_known_ = true;     // every event so far said how many tokens it stood for
  bool counted_by_ids_ = false;  // … by ids or tokens_predicted, not by running usage or timings
  std::int64_t counted_ = 0;
  std::int64_t ids_ = 0;
  std::int64_t content_events_ = 0;
  std::int64_t events_ = 0;
  Completion completion_;
};

}  // namespace rocm::wire
