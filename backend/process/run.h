// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

#include "backend/error.h"

namespace rocm::process {

struct RunOptions {
  std::string executable{};
  std::vector<std::string> arguments{};
  std::vector<std::string> environment{};
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_output_bytes = std::size_t{4} << 20;
  std::stop_token stop{};
};

struct RunOutput {
  ExitInfo exit;
  // Clean lines (see line_splitter.h), each with a newline.
  std::string out;
  std::string err;
};

// Runs a program to its end. kDeadlineExceeded, kLimitExceeded or kCancelled after having killed
// it; any exit status is a success here.
[[nodiscard]] Result<RunOutput> Run(const RunOptions& options);

}  // namespace rocm::process
