// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <iosfwd>
#include <string>

#include "backend/config.h"

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
// Ctrl-C ends the answer that is being written, and not the session: call it from a process whose
// other threads do not rely on SIGINT. Returns the exit code: 0, 2 (input) or 3 (backend).
[[nodiscard]] int RunChat(const ChatOptions& options, std::istream& in, std::ostream& out,
                          std::ostream& err);

}  // namespace harness
