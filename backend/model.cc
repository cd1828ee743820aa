// SPDX-License-Identifier: EUPL-1.2
#include "backend/model.h"

namespace rocm {

std::string_view ToString(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kStopToken: return "stop_token";
    case FinishReason::kStopString: return "stop_string";
    case FinishReason::kToolCalls: return "tool_calls";
  }
  return "stop";
}

}  // namespace rocm
