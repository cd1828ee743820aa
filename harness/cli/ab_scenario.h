// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "harness/cli/run_context.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Runs a scenario of the kind ab. In every round each variant's server is started, warmed and
// measured, one after the other in the order ABBA BAAB; every value of the sweep that needs no
// server of its own is measured on the same one, and is a comparison of its own. What is suspect
// after the first rounds gets as many fresh ones. What goes wrong is in the context's report.
void RunAbScenario(RunContext& context, const Scenario& scenario);

}  // namespace harness
