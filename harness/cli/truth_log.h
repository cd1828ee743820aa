// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/error.h"
#include "harness/measure/calibration.h"

namespace harness {

// What the mock says that it really did for one request.
struct TrueRequest {
  StreamTruth stream;  // of the chunks that carried text
  int tokens = 0;      // generated
  std::int64_t received_ns = 0;
};

// A mock's truth log by the sampling seed of the request. Fails where the file cannot be read, or
// two requests carry one seed: then nothing can be matched.
[[nodiscard]] rocm::Result<std::map<std::uint32_t, TrueRequest>> ReadTruthLog(
    const std::string& path);

}  // namespace harness
