// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "harness/measure/calibration.h"

namespace harness {

// How the mock is made to speak while it is measured against.
struct CalibrationLevel {
  int concurrency = 1;
  int requests = 16;
  int tokens = 64;
  double token_ms = 20;
  // False: streams drift apart by their seeds. True: all speak at once, the worst case.
  bool phase_aligned = false;
  std::vector<std::string> server_args;
};

// The levels that `calibrate` measures: 1, 4, 16, 64, 256 and 1,024 streams of 50 tokens a second.
[[nodiscard]] std::vector<CalibrationLevel> StandardLevels();

// Drives the mock with so many streams and holds every observed time against the time that the
// mock's own log says. `model` is any GGUF file; the log is written to `folder`.
[[nodiscard]] rocm::Result<CalibrationPoint> MeasureLevel(const CalibrationLevel& level,
                                                          const std::string& model,
                                                          const std::filesystem::path& folder,
                                                          std::stop_token stop);

}  // namespace harness
