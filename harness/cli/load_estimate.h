// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <map>
#include <string>

#include "harness/target/target.h"

namespace harness {

// What a load was expected to take, from the model's file and what the server applied:
// estimate_device_bytes, estimate_host_bytes. Empty where that is not known: an attached server,
// the mock, a model of an architecture whose formula was not held against a real server.
[[nodiscard]] std::map<std::string, double> EstimateValues(const TargetFacts& server,
                                                           const std::string& model);

}  // namespace harness
