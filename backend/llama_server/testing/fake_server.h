// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <string_view>

namespace rocm::llama_server::testing {

// The help texts of three generations of llama-server, cut down to what a launcher looks at.
extern const std::string_view kOldHelp;     // 2024: -fa bare, --no-mmap, no sockets, no web UI flag
extern const std::string_view kMiddleHelp;  // 2025: -fa valued, --no-webui, sockets
extern const std::string_view kCurrentHelp;  // 2026: --load-mode, --no-ui, trace verbosity

// A shell script that answers --version and --help like a llama-server and otherwise runs `body`.
struct FakeServer {
  std::string version = "version: 5092 (d3bd719b)";
  std::string_view help;
  std::string body = "exit 0";
  // Each run's arguments are appended to this file, one line a run.
  std::string journal;

  // Writes it, executable, at `path`.
  void Write(const std::string& path) const;
};

}  // namespace rocm::llama_server::testing
