// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "backend/error.h"

namespace harness {

// What rocm-bench says to the shell. Scripts rely on the numbers.
enum class ExitCode {
  kPass = 0,
  kCheckFailed = 1,  // an expectation or a regression check
  kBadInput = 2,     // files, arguments, scenarios, models
  kBackendFailed = 3,
  kInvalid = 4,  // the instrument could not hold its own schedule or error bound
  kInterrupted = 130,
};

// For what went wrong outside the requests of a run.
[[nodiscard]] ExitCode ExitCodeOf(const rocm::Error& error);

// One line on stderr, the server's last lines below it where there are any; returns the code.
ExitCode Report(const rocm::Error& error);

}  // namespace harness
