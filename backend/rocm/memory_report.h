// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/gguf/estimate.h"
#include "backend/llama_server/log_facts.h"

namespace rocm {

// What the estimate said before loading beside what the server's log says it allocated: llama.cpp's
// own buffers, in bytes. Runtime overhead, which no log shows, is in neither.
struct MemoryReport {
  struct Side {
    std::uint64_t estimated = 0;
    std::uint64_t allocated = 0;
    // (estimated - allocated) / allocated; nullopt where nothing was allocated.
    [[nodiscard]] std::optional<double> error() const;
  };
  Side device;
  Side host;

  // "estimated 3.41 GiB on the device, allocated 3.38 GiB (+0.9 %)"
  [[nodiscard]] std::string ToString() const;
};

// nullopt where the log names no buffers.
[[nodiscard]] std::optional<MemoryReport> CompareMemory(const gguf::MemoryEstimate& estimate,
                                                        const llama_server::LogFacts& facts);

}  // namespace rocm
