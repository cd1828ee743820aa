// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mock_server/clock.h"
#include "mock_server/faults/fault.h"

namespace mock {

// An end of the whole process: "exit" with a code, or a signal by name.
struct Doom {
  int exit_code = 1;
  int signal = 0;  // 0: exit
};

// "exit", "exit:3", "SIGSEGV", "ABRT"…; nullopt: not an end of the process.
[[nodiscard]] std::optional<Doom> ParseDoom(std::string_view how);

// Of a fault of type exit or signal.
[[nodiscard]] Doom DoomOf(const Fault& fault);

// Never returns; the default disposition of the signal is restored first.
[[noreturn]] void Die(const Doom& doom);

// Holds up the calling thread, and with it the whole server.
void Freeze(Ns time);

}  // namespace mock
