// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/error.h"
#include "backend/gpu/places.h"

namespace harness {

struct MemoryBandwidth {
  double bytes_per_second = 0;
  // How it is known, one line: "table: Radeon RX 7800 XT", "measured: …", "given".
  std::string source;
};

// Of a GPU, by its makers' published figure. `name` as a driver or llama-server's log words it
// ("NVIDIA GeForce RTX 4090", "AMD Radeon RX 7800 XT (RADV NAVI32)"); `memory_bytes` tells models
// of one name apart, 0 where it is not known. nullopt for a GPU that is not in the table, and where
// the name alone leaves it open.
[[nodiscard]] std::optional<MemoryBandwidth> KnownBandwidth(std::string_view name,
                                                            std::uint64_t memory_bytes);

// All last-level caches of the processor together; 0 where the kernel does not say.
[[nodiscard]] std::uint64_t LastLevelCacheBytes(const rocm::gpu::Places& places = {});

struct ReadTest {
  // Read by all processors of this process's affinity, each its own part, over and over; the best
  // pass counts, as in STREAM.
  std::uint64_t buffer_bytes = 0;  // 0: four times the caches, 512 MiB to 2 GiB, if there is room
  int threads = 0;                 // 0: one for each processor
  std::chrono::milliseconds time{500};  // of reading; at least 3 passes
  rocm::gpu::Places places;
};

// How fast this machine's memory can be read. Takes `time` and what it takes to touch the buffer:
// about a second, with every processor busy. Fails with kInsufficientMemory where there is no room
// for a buffer well larger than the caches.
[[nodiscard]] rocm::Result<MemoryBandwidth> MeasureHostBandwidth(const ReadTest& test = {});

}  // namespace harness
