// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/load_memory.h"

#include "backend/gpu/vram.h"
#include "harness/cli/session_events.h"
#include "harness/telemetry/proc_counters.h"

namespace harness {
namespace {

// Less than this is a desktop's coming and going, no model.
constexpr std::uint64_t kNoModel = 16u << 20;

}  // namespace

MemoryInUse ReadMemoryInUse(std::span<const rocm::gpu::Device> devices, int pid,
                            const rocm::gpu::Places& places) {
  MemoryInUse in_use;
  for (const rocm::gpu::Device& device : devices) {
    MemoryInUse::Card card;
    if (const auto memory = rocm::gpu::ReadCardMemory(device, places)) card.used = memory->used;
    if (pid >= 0) card.of_process = rocm::gpu::ReadProcessMemory(device, pid, places);
    in_use.cards.push_back(card);
  }
  if (const auto process = ReadProcess(places, pid)) in_use.process_rss = process->rss_bytes;
  return in_use;
}

std::map<std::string, double> LoadValues(const TargetFacts& server, const MemoryInUse& before,
                                         const MemoryInUse& after) {
  std::map<std::string, double> values;
  if (server.load_duration) values["load_ms"] = Milliseconds(*server.load_duration);
  if (after.process_rss) values["server_rss_bytes"] = static_cast<double>(*after.process_rss);
  for (std::size_t i = 0; i < after.cards.size() && i < before.cards.size(); ++i) {
    const MemoryInUse::Card& now = after.cards[i];
    const MemoryInUse::Card& then = before.cards[i];
    const std::uint64_t more =
        now.used && then.used && *now.used > *then.used ? *now.used - *then.used : 0;
    if (now.of_process.value_or(0) < kNoModel && more < kNoModel) continue;
    if (now.of_process) values["server_vram_bytes"] += static_cast<double>(*now.of_process);
    if (!now.used) continue;
    values["vram_after_load_bytes"] += static_cast<double>(*now.used);
    values["vram_of_load_bytes"] += static_cast<double>(more);
  }
  return values;
}

bool IsLoadValue(std::string_view metric) {
  constexpr std::string_view kNames[] = {
      "load_ms",           "vram_after_load_bytes", "vram_of_load_bytes",
      "server_vram_bytes", "server_rss_bytes",      "page_cache_resident_ratio"};
  return std::ranges::find(kNames, metric) != std::end(kNames);
}

}  // namespace harness
