// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "backend/error.h"
#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"
#include "harness/record/run_lines.h"
#include "harness/record/run_metrics.h"

namespace harness {

// Lines of a run file back into the values they were written from. What is missing keeps its
// default: files of other versions and damaged ones are read as far as they go.
[[nodiscard]] RequestRecord ParseRequest(const nlohmann::json& line);
[[nodiscard]] StageSummary ParseSummary(const nlohmann::json& line);
[[nodiscard]] Verdict ParseVerdict(const nlohmann::json& line);
[[nodiscard]] RunEvent ParseEvent(const nlohmann::json& line);
[[nodiscard]] RunEnd ParseEnd(const nlohmann::json& line);

// Feeds a whole run file into metrics. Of stages with several rounds only the summary over all of
// them sets gauges, as in a live run.
[[nodiscard]] rocm::Result<void> ExportRun(const std::filesystem::path& path, RunMetrics& metrics);

}  // namespace harness
