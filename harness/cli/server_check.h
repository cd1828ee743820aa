// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <vector>

#include "backend/error.h"
#include "harness/cli/variant_binding.h"
#include "harness/scenario/scenario.h"
#include "harness/target/target.h"

namespace harness {

// Every server that a run will start, both sides of a comparison among them, held against the
// device it would run on: in a second, instead of when its turn comes. The error names the first
// one that does not fit. The mock and servers that are only attached to have no such question.
[[nodiscard]] rocm::Result<void> CheckServers(const std::vector<Scenario>& scenarios,
                                              const TargetOptions& target,
                                              const VariantBindings& bindings);

}  // namespace harness
