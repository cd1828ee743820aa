// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "backend/llama_server/server.h"
#include "backend/model.h"
#include "backend/rocm/load_plan.h"
#include "backend/wire/control_reply.h"

namespace rocm {

struct Applied {
  AppliedSettings settings;
  std::string build;  // "b11669-Debian"
};

// What a server says it applied: /props where it has an answer, else its log.
[[nodiscard]] Applied DescribeApplied(const wire::ServerProps& props,
                                      const llama_server::LogFacts& facts);

// Whether that is what was planned. kBackendUnavailable where a GPU was wanted and nothing went
// onto one; kDeviceError where the model went onto another device than the pinned one;
// kInvalidArgument or kInternal where the context or the slots differ.
[[nodiscard]] Result<void> CheckApplied(const LoadPlan& plan, const AppliedSettings& applied);

// Both, for a server that has just become ready.
[[nodiscard]] Result<Applied> VerifyServer(const LoadPlan& plan,
                                           const llama_server::Server& server);

// What the server process holds: on its device where that is known and says so (the peak is then
// the value of the moment), else resident in RAM. Zero where nothing tells.
struct ProcessMemory {
  std::int64_t active_bytes = 0;
  std::int64_t peak_bytes = 0;
};
[[nodiscard]] ProcessMemory ReadProcessMemory(pid_t pid, const std::optional<gpu::Device>& device);

}  // namespace rocm
