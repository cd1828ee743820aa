// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

#include "harness/cli/session.h"

namespace harness {

// The end of a run for a person: a row for each stage, what was judged, where the file is.
[[nodiscard]] std::string FormatTable(const RunReport& report);

// The same for programs: one JSON object with run_id, file, status, exit_code, reasons, stages.
[[nodiscard]] std::string FormatJson(const RunReport& report);

// The stage in llama-bench's words where it has one: "pp512 @ d8192", "tg128"; else "".
[[nodiscard]] std::string LlamaBenchName(const Workload& workload);

}  // namespace harness
