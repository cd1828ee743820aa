// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>

#include "backend/wire/completion_delta.h"

namespace rocm::wire {

// What one event's JSON says, before it is held against the events that came earlier.
struct EventFields {
  std::int64_t predicted = -1;  // tokens generated so far, where the event says
  int prompt_tokens = -1;
  int choice = 0;         // index of the choice it belongs to
  bool progress = false;  // prompt progress: its ids mean nothing
  bool has_choice = false;
  bool role_only = false;     // opens a chat, stands for no token
  bool ids_complete = false;  // the ids are all there are, not only the visible ones
  bool native_stop = false;
  bool has_message = false;   // an error report, unless an answer stands beside it
  bool is_error = false;      // not an answer: an error report
  std::string failed_finish;  // a finish reason that stands for a failure
};

// Each fills `delta` and `fields` from one event; unknown fields are passed over, and fields of
// the wrong type count as absent.
void ReadNativeEvent(simdjson::dom::object event, CompletionDelta& delta, EventFields& fields);
void ReadOpenAiEvent(simdjson::dom::object event, CompletionDelta& delta, EventFields& fields);

}  // namespace rocm::wire
