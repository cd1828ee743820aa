// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/exit_code.h"

#include <fmt/format.h>

#include <cstdio>

namespace harness {

ExitCode ExitCodeOf(const rocm::Error& error) {
  switch (error.code) {
    case rocm::ErrorCode::kInvalidArgument:
    case rocm::ErrorCode::kModelNotFound:
    case rocm::ErrorCode::kModelInvalid:
    case rocm::ErrorCode::kModelUnsupported:
    case rocm::ErrorCode::kBinaryNotFound:
    case rocm::ErrorCode::kIo: return ExitCode::kBadInput;
    case rocm::ErrorCode::kCancelled: return ExitCode::kInterrupted;
    default: return ExitCode::kBackendFailed;
  }
}

ExitCode Report(const rocm::Error& error) {
  fmt::print(stderr, "rocm-bench: {}\n", error.message);
  for (const std::string& line : error.log_tail) fmt::print(stderr, "  | {}\n", line);
  return ExitCodeOf(error);
}

}  // namespace harness
