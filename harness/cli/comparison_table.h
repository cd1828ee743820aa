// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "harness/cli/run_report.h"

namespace harness {

// Comparisons for a person: a row for each metric with both medians, the change with its interval,
// what could have been seen, and the verdict; below them what needs words. "" for none.
[[nodiscard]] std::string FormatComparisons(std::span<const Comparison> comparisons);

// The same of one for programs.
[[nodiscard]] nlohmann::ordered_json ComparisonJson(const Comparison& comparison);

}  // namespace harness
