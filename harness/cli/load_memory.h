// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/gpu/devices.h"
#include "backend/gpu/places.h"
#include "harness/target/target.h"

namespace harness {

// What is in use at one moment, device by device in the order of the inventory, and what a process
// holds of it. Bytes.
struct MemoryInUse {
  struct Card {
    std::optional<std::uint64_t> used;
    std::optional<std::uint64_t> of_process;
  };
  std::vector<Card> cards;
  std::optional<std::int64_t> process_rss;
};
// `pid` -1: no process.
[[nodiscard]] MemoryInUse ReadMemoryInUse(std::span<const rocm::gpu::Device> devices, int pid,
                                          const rocm::gpu::Places& places = {});

// What a load took, by the names of docs/metrics.md: load_ms; vram_after_load_bytes, in use on the
// cards that the server uses; vram_of_load_bytes, how much more than before; server_vram_bytes and
// server_rss_bytes of its process. What is not known is left out.
[[nodiscard]] std::map<std::string, double> LoadValues(const TargetFacts& server,
                                                       const MemoryInUse& before,
                                                       const MemoryInUse& after);
// Whether only the stage that follows a load has it.
[[nodiscard]] bool IsLoadValue(std::string_view metric);

}  // namespace harness
