// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "harness/cli/gate.h"
#include "harness/cli/run_report.h"
#include "harness/measure/verdict.h"

namespace harness {

// Verdicts in the two forms that CI systems show: JUnit XML and GitHub's step summary (Markdown).
// Names come from scenario files and servers: whatever bytes they hold, the XML is well-formed and
// the Markdown holds no markup of theirs.

// <testsuites> with a suite for each scenario, a case for each verdict. regression and fail are
// failures, invalid is an error, not_judged and insufficient_data are skipped with their reason; a
// warning passes and is in system-out. `problem`: what ended the run, an error of its own; "" none.
[[nodiscard]] std::string JUnitXml(std::string_view title, const std::vector<Verdict>& verdicts,
                                   std::string_view problem = {});

[[nodiscard]] std::vector<Verdict> VerdictsOf(const RunReport& report);
[[nodiscard]] std::vector<Verdict> VerdictsOf(const GateReport& report);

// A heading, a table and what needs words; at most 500 rows.
[[nodiscard]] std::string StepSummary(const RunReport& report);
[[nodiscard]] std::string StepSummary(const GateReport& report, std::string_view title);

// $GITHUB_STEP_SUMMARY is shared by all commands of a step, so this appends.
[[nodiscard]] rocm::Result<void> AppendText(const std::filesystem::path& path,
                                            std::string_view text);

// Valid UTF-8, without the characters that XML 1.0 forbids; & < > " as entities.
[[nodiscard]] std::string XmlText(std::string_view text);
// One line in which nothing is markup.
[[nodiscard]] std::string MarkdownText(std::string_view text);

}  // namespace harness
