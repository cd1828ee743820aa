// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backend/error.h"
#include "harness/scenario/scenario.h"
#include "harness/target/target.h"

namespace harness {

// What --variant gave a name that scenarios use; at least one is set. A URL stands alone.
struct VariantBinding {
  std::string binary;
  std::string model;
  std::string url;
};
using VariantBindings = std::map<std::string, VariantBinding>;

// "NAME=BINARY|MODEL|URL" each; a name may have a binary and a model. What a value is follows from
// itself: a URL by its scheme, a model by its first bytes, anything else must be executable.
[[nodiscard]] rocm::Result<VariantBindings> ParseBindings(const std::vector<std::string>& texts);

// kInvalidArgument where a scenario uses a name that was not given, or one was given that none
// uses.
[[nodiscard]] rocm::Result<void> CheckBindings(const std::vector<Scenario>& scenarios,
                                               const VariantBindings& bindings);

// What one side of a comparison is called in records and errors: "depth=2048,on". `axis` is that of
// the sweep, empty without one.
[[nodiscard]] std::string SideName(const std::string& axis, const AbVariant& variant);

// The target of one side of a comparison.
[[nodiscard]] TargetOptions Bind(const TargetOptions& target, const AbVariant& variant,
                                 const VariantBindings& bindings);

}  // namespace harness
