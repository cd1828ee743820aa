// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "mock_server/clock.h"

namespace mock {

// Lines on stderr as the chosen build writes them: with time and level, or bare in older ones.
class Log {
 public:
  Log(bool prefixed, int verbosity) : prefixed_(prefixed), verbosity_(verbosity) {}

  void set(bool prefixed, int verbosity) {
    prefixed_ = prefixed;
    verbosity_ = verbosity;
  }

  // "0.00.001.142 I srv  llama_server: text". `level` is one of E W I D; lines above the verbosity
  // (1 E, 2 W, 3 I, 4 more I, 5 D) are dropped.
  template <typename... Args>
  void Server(int verbosity, char level, std::string_view function,
              fmt::format_string<Args...> format, Args&&... args) {
    if (verbosity > verbosity_) return;
    Write(level, "srv  ", function, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void Common(int verbosity, char level, std::string_view function,
              fmt::format_string<Args...> format, Args&&... args) {
    if (verbosity > verbosity_) return;
    Write(level, "cmn  ", function, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void Slot(int slot, int task, std::string_view function, fmt::format_string<Args...> format,
            Args&&... args) {
    if (verbosity_ < 3) return;
    Write('I', "slot ", function,
          fmt::format("id {:2} | task {} | {}", slot, task,
                      fmt::format(format, std::forward<Args>(args)...)));
  }
  // A line of the libraries below the server, without a module.
  template <typename... Args>
  void Plain(int verbosity, char level, fmt::format_string<Args...> format, Args&&... args) {
    if (verbosity > verbosity_) return;
    Write(level, "", "", fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  void Write(char level, std::string_view module, std::string_view function, std::string_view text);

  bool prefixed_;
  int verbosity_;
  Ns start_ = Now();
};

}  // namespace mock
