// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Reads, checks and completes one scenario file. Every error is kInvalidArgument and one line
// "FILE: $.json.path: reason"; a file that cannot be read is kIo with the same beginning. Trace
// files are looked for beside the scenario.
[[nodiscard]] rocm::Result<Scenario> LoadScenario(const std::string& path);

// The same from memory. `origin` is the file name in errors; traces are relative to its folder.
[[nodiscard]] rocm::Result<Scenario> ParseScenario(std::string_view text,
                                                   const std::string& origin);

// A scenario file, or a suite: a .txt with one path a line, relative to it; '#' begins a comment.
// Suites do not nest. Two scenarios of one name are refused, since records name scenarios.
[[nodiscard]] rocm::Result<std::vector<Scenario>> LoadScenarios(
    const std::vector<std::string>& paths);

// The scenario as a file would say it, every default spelled out; reading it again gives an equal
// scenario. One line of JSON.
[[nodiscard]] std::string ToJson(const Scenario& scenario);

}  // namespace harness
