// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "harness/cli/run_context.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Runs a scenario of the kind load: every variant of its sweep, every round, every stage. What goes
// wrong is in the context's report.
void RunLoadScenario(RunContext& context, const Scenario& scenario);

}  // namespace harness
