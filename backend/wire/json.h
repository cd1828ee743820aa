// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace rocm::wire {

inline constexpr std::size_t kMaxJsonDepth = 64;

// Parses with this thread's parser: the element is valid until the next call on the same thread.
// One parser a thread, not one a stream: thousands of streams share its warm buffers. Nesting is
// capped at kMaxJsonDepth; invalid UTF-8 and lone surrogates become U+FFFD instead of an error.
[[nodiscard]] simdjson::error_code ParseJson(std::string_view text, simdjson::dom::element& root);

// Typed access to foreign values: anything of another type, or out of range, is "not there".
[[nodiscard]] bool Read(simdjson::dom::element value, std::string_view& out);
[[nodiscard]] bool Read(simdjson::dom::element value, std::int64_t& out);
[[nodiscard]] bool Read(simdjson::dom::element value, int& out);
[[nodiscard]] bool Read(simdjson::dom::element value, double& out);
[[nodiscard]] bool Read(simdjson::dom::element value, bool& out);
[[nodiscard]] bool Read(simdjson::dom::element value, std::string& out);

// Replaces invalid UTF-8 by U+FFFD, one for each maximal invalid part.
[[nodiscard]] std::string RepairUtf8(std::string_view text);

}  // namespace rocm::wire
