// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/scenario/json_reader.h"
#include "harness/scenario/scenario.h"

namespace harness {

// The parts of a scenario file. Each reads one JSON value at `path`, reports to `findings`, and
// returns something usable in any case.
[[nodiscard]] Length ParseLength(const nlohmann::json& value, const std::string& path, int min,
                                 Findings& findings);
[[nodiscard]] Workload ParseWorkload(const nlohmann::json& value, const std::string& path,
                                     Findings& findings);
// `folder` is where trace files are looked for.
[[nodiscard]] Stage ParseStage(const nlohmann::json& value, const std::string& path,
                               const std::string& folder, Findings& findings);
[[nodiscard]] ServerSettings ParseServer(const nlohmann::json& value, const std::string& path,
                                         Findings& findings);
[[nodiscard]] std::vector<SweepAxis> ParseSweep(const nlohmann::json& value,
                                                const std::string& path, Findings& findings);
[[nodiscard]] AbPlan ParseAb(const nlohmann::json& value, const std::string& path,
                             Findings& findings);
[[nodiscard]] FaultPlan ParseFault(const nlohmann::json& value, const std::string& path,
                                   Findings& findings);
[[nodiscard]] Expectation ParseExpectation(const nlohmann::json& value, const std::string& path,
                                           Findings& findings);

// What no single value shows: names used twice, stages that never end, sweeps of what is not there.
void Validate(const Scenario& scenario, Findings& findings);

}  // namespace harness
