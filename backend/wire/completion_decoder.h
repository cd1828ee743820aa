// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/model.h"
#include "backend/wire/completion_delta.h"
#include "backend/wire/sse_decoder.h"

namespace rocm::wire {

// Gives the events of one stream their meaning, for one Api, and keeps the sums: how many tokens,
// by which source, how it ended. Understands llama-server old and new, and the OpenAI dialect of
// other servers. Malformed JSON, nesting deeper than 64 and a finish reason that stands for a
// failure are errors. Not thread-safe.
class CompletionDecoder {
 public:
  explicit CompletionDecoder(Api api) : api_(api) {}

  // Clears `delta`, then fills it. After an error or the end marker, further events say nothing.
  void Decode(const SseEvent& event, CompletionDelta& delta);

  // The end marker came, and no error before it.
  [[nodiscard]] bool complete() const { return ended_ && !failed_; }
  [[nodiscard]] bool failed() const { return failed_; }

  // What is known so far.
  [[nodiscard]] const Completion& completion() const { return completion_; }
  [[nodiscard]] bool has_usage() const { return has_usage_; }
  // Tokens generated, and where the number comes from: counted ids, the usage block, the server's
  // timings, else the events that carried content.
  [[nodiscard]] int tokens() const;
  [[nodiscard]] TokenSource token_source() const;
  [[nodiscard]] std::int64_t events() const { return events_; }

 private:
  friend class EventReader;
  void Account(CompletionDelta& delta);

  Api api_;
  bool ended_ = false;
  bool failed_ = false;
  bool has_usage_ = false;
  bool finished_ = false;        // a finish reason came
  bool counts_known_ = true;     // every event so far said how many tokens it stood for
  std::int64_t cumulative_ = 0;  // tokens_predicted so far
  std::int64_t counted_ = 0;
  std::int64_t ids_ = 0;
  std::int64_t content_events_ = 0;
  std::int64_t events_ = 0;
  Completion completion_;
};

}  // namespace rocm::wire
