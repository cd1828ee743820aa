// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "harness/cli/run_context.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Runs a scenario of the kind fault: strikes the server as its plan says, as often as it says, and
// measures what follows. Each injection is a round of its own. Of a plan whose restart policy
// refuses a further start, that is the end: a crash loop is ended by policy.
void RunFaultScenario(RunContext& context, const Scenario& scenario);

}  // namespace harness
