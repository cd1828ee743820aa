// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace harness {

// Appending JSON to a string that is reused from line to line: request records are written while
// streams run, and a document tree per record costs several times the record.

// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, one for each byte.
void AppendJsonString(std::string_view text, std::string& out);
// The shortest form that reads back as the same double; NaN and infinities become null.
void AppendJsonNumber(double value, std::string& out);
void AppendJsonNumber(std::int64_t value, std::string& out);

}  // namespace harness
