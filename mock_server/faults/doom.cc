// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/doom.h"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <utility>

namespace mock {
namespace {

constexpr std::array<std::pair<std::string_view, int>, 7> kSignals{{{"SEGV", SIGSEGV},
                                                                    {"ABRT", SIGABRT},
                                                                    {"KILL", SIGKILL},
                                                                    {"TERM", SIGTERM},
                                                                    {"BUS", SIGBUS},
                                                                    {"FPE", SIGFPE},
                                                                    {"ILL", SIGILL}}};

}  // namespace

std::optional<Doom> ParseDoom(std::string_view how) {
  if (how.starts_with("exit")) {
    Doom doom;
    how.remove_prefix(4);
    if (how.empty()) return doom;
    how.remove_prefix(1);
    const auto [end, error] = std::from_chars(how.data(), how.data() + how.size(), doom.exit_code);
    if (error != std::errc() || end != how.data() + how.size()) return std::nullopt;
    return doom;
  }
  if (how.starts_with("SIG")) how.remove_prefix(3);
  for (const auto& [name, number] : kSignals) {
    if (name == how) return Doom{0, number};
  }
  return std::nullopt;
}

Doom DoomOf(const Fault& fault) {
  if (fault.Is("exit") || fault.Is("load-exit")) {
    return Doom{static_cast<int>(fault.Int("code", 1)), 0};
  }
  return ParseDoom(fault.Text("signal", "SIGSEGV")).value_or(Doom{0, SIGSEGV});
}

void Die(const Doom& doom) {
  if (doom.signal == 0) ::_exit(doom.exit_code);
  // Core files of a planned death are of no use to anybody.
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  std::signal(doom.signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, doom.signal);
  ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
  ::kill(::getpid(), doom.signal);
  ::_exit(127);
}

void Freeze(Ns time) {
  const Ns end = Now() + time;
  for (Ns now = Now(); now < end; now = Now()) {
    const Ns left = std::min<Ns>(end - now, 1'000 * kSecond);
    ::poll(nullptr, 0, static_cast<int>((left + kMillisecond - 1) / kMillisecond));
  }
}

}  // namespace mock
