// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string_view>

#include "backend/wire/completion_delta.h"
#include "backend/wire/event_fields.h"

namespace rocm::wire {

// The same as ReadNativeEvent and ReadOpenAiEvent, for the events that make up nearly all of a
// stream: one token, no finish, no timings. A small pass over the text instead of a parser: between
// two tokens the caches go cold, and then code that is not there is the fastest. False: not such an
// event, or not quite valid JSON; `delta` and `fields` are then half filled, and the parser
// decides.
[[nodiscard]] bool ReadQuickNative(std::string_view json, CompletionDelta& delta,
                                   EventFields& fields);
[[nodiscard]] bool ReadQuickOpenAi(std::string_view json, CompletionDelta& delta,
                                   EventFields& fields);

}  // namespace rocm::wire
