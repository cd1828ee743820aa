// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/runnable.h"

#include <fmt/format.h>

namespace harness {

rocm::Result<void> CheckRunnable(const Scenario& scenario) {
  if (scenario.kind == ScenarioKind::kLoad || scenario.kind == ScenarioKind::kFault) return {};
  return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                    fmt::format("{}: $.kind: scenarios of the kind {} can be read but not yet run "
                                "by this version",
                                scenario.file, ToString(scenario.kind)));
}

}  // namespace harness
