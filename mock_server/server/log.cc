// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/log.h"

#include <unistd.h>

#include <string>

namespace mock {

void Log::Write(char level, std::string_view module, std::string_view function,
                std::string_view text) {
  std::string line;
  if (prefixed_) {
    const Ns us = (Now() - start_) / kMicrosecond;
    line = fmt::format("{}.{:02}.{:03}.{:03} {} ", us / 60'000'000, us / 1'000'000 % 60,
                       us / 1'000 % 1'000, us % 1'000, level);
  }
  if (!module.empty()) line += fmt::format("{}{:>12}: ", module, function.substr(0, 12));
  line += text;
  line += '\n';
  // One write a line: nothing of ours can come between its halves. A failing stderr is nobody's
  // business here.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace mock
