// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/verdict.h"

namespace harness {

std::string_view ToString(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kExpectation: return "expectation";
    case VerdictKind::kGate: return "gate";
    case VerdictKind::kComparison: return "comparison";
    case VerdictKind::kChangePoint: return "change_point";
    case VerdictKind::kFence: return "fence";
  }
  return "";
}

std::string_view ToString(Finding finding) {
  switch (finding) {
    case Finding::kPass: return "pass";
    case Finding::kFail: return "fail";
    case Finding::kNotJudged: return "not_judged";
    case Finding::kInvalid: return "invalid";
    case Finding::kRegression: return "regression";
    case Finding::kImprovement: return "improvement";
    case Finding::kNoChange: return "no_change";
    case Finding::kInsufficientData: return "insufficient_data";
    case Finding::kWarning: return "warning";
  }
  return "";
}

}  // namespace harness
