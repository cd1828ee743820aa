// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <iosfwd>
#include <string>

#include "backend/config.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/stop_signals.h"

namespace harness {

struct ChatOptions {
  std::string model;
  std::string backend = "rocm";
  std::string system;  // the system message; empty: none
  rocm::LoadConfig load;
  rocm::GenerateConfig generate;
  bool json = false;  // one object per answer instead of streamed text
};

// A conversation over `in` and `out`, one message a line, until the input ends. Answers stream.
// Ctrl-C ends the answer that is being written, and not the session.
[[nodiscard]] ExitCode RunChat(const ChatOptions& options, StopSignals& signals, std::istream& in,
                               std::ostream& out, std::ostream& err);

}  // namespace harness
