// SPDX-License-Identifier: EUPL-1.2
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/base/testing/fuzzing.h"
#include "harness/scenario/loader.h"

// Any bytes: a scenario or one line that names the file. What loads must round-trip.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using rocm::fuzzing::Require;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scenario = harness::ParseScenario(text, "/nonexistent/fuzz.json");
  if (!scenario) {
    const std::string& message = scenario.error().message;
    Require(message.starts_with("/nonexistent/fuzz.json: "));
    Require(message.find('\n') == std::string::npos);
    return 0;
  }
  const std::string json = harness::ToJson(*scenario);
  const auto again = harness::ParseScenario(json, "/nonexistent/fuzz.json");
  Require(again && harness::ToJson(*again) == json);
  return 0;
}
