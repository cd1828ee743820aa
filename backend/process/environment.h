// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"

namespace rocm::process {

// How to make a child's environment from ours. Steps in this order: the allowlisted part of
// `inherited`, minus `remove`, plus the defaults, overwritten by `pin`, overwritten by `set`.
struct EnvironmentRequest {
  std::vector<std::string> inherited{};  // "NAME=value"; of doubled names the first counts
  std::vector<std::string> remove{};
  std::map<std::string, std::string> pin{};
  std::map<std::string, std::string> set{};
};

struct ChildEnvironment {
  std::vector<std::string> entries;  // "NAME=value", sorted, each name once
  // Those that can change what a GPU program does: GGML_, HSA_, ROCBLAS_, HIP_, CUDA_, masks …
  std::map<std::string, std::string> recorded;
  std::vector<std::string> dropped;  // inherited names that were not passed on
};

// kInvalidArgument for a name in `pin` or `set` that no environment can hold. The defaults are
// GGML_NO_BACKTRACE=1, since a dying ggml otherwise starts a debugger, which holds the device.
[[nodiscard]] Result<ChildEnvironment> BuildEnvironment(const EnvironmentRequest& request);

// Whether a variable of ours is handed down. What could steer the server behind our back
// (LLAMA_ARG_*, LLAMA_API_KEY), proxies, tokens and all that is not known are not.
[[nodiscard]] bool IsInheritable(std::string_view name);
// Whether it belongs into the record of a run.
[[nodiscard]] bool IsRecorded(std::string_view name);

// A copy of this process's environment. Nobody may change it meanwhile (as with getenv).
[[nodiscard]] std::vector<std::string> CurrentEnvironment();

}  // namespace rocm::process
