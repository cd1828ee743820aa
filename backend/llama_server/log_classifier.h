// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backend/error.h"

namespace rocm::llama_server {

// Why a llama-server ended, by its own words.
struct LogVerdict {
  ErrorCode code = ErrorCode::kServerExited;
  std::string message;  // one line

  friend bool operator==(const LogVerdict&, const LogVerdict&) = default;
};

// The reason in the last lines of a log: the most specific one, and of equals the first, since
// what follows a failure is its consequences. Empty where no line tells. Meant for a server that
// has ended: one that lives on may have recovered from what it logged.
[[nodiscard]] std::optional<LogVerdict> ClassifyLog(std::span<const std::string> lines);

// The error for a server that has ended: code and message from its log where that tells, else from
// how it ended. Carries `exit` and the last 20 lines. `context` begins the message: "llama-server
// ended while loading x.gguf".
[[nodiscard]] Error DescribeDeath(std::string_view context, const ExitInfo& exit,
                                  std::span<const std::string> lines);

// Without time stamp, level, and the name of the function that logged it.
[[nodiscard]] std::string_view StripLogPrefix(std::string_view line);

}  // namespace rocm::llama_server
