// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "backend/error.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Whether this version can run what the file, which is sound, asks for; kInvalidArgument names the
// file, the path and what cannot be run yet.
[[nodiscard]] rocm::Result<void> CheckRunnable(const Scenario& scenario);

}  // namespace harness
