// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/steady_window.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace harness {
namespace {

// A request that never connected was still on its way from when it was due.
std::int64_t StartOf(const RequestRecord& record) {
  return record.sent_ns != 0 ? record.sent_ns : record.scheduled_ns;
}

SteadyWindow ClosedLoopWindow(std::span<const RequestRecord> records, int concurrency) {
  std::vector<std::int64_t> starts;
  for (const RequestRecord& record : records) starts.push_back(StartOf(record));
  std::ranges::sort(starts);
  const std::size_t full = std::min(static_cast<std::size_t>(concurrency), starts.size());
  SteadyWindow window{starts[full - 1], 0};
  for (const RequestRecord& record : records) {
    if (record.finished_ns <= starts.back()) continue;
    if (window.end_ns == 0 || record.finished_ns < window.end_ns) {
      window.end_ns = record.finished_ns;
    }
  }
  return window;
}

}  // namespace

SteadyWindow FindSteadyWindow(std::span<const RequestRecord> records, const StagePlan& plan) {
  if (records.empty()) return {};
  if (plan.concurrency > 0) return ClosedLoopWindow(records, plan.concurrency);
  const auto [first, last] = std::ranges::minmax_element(records, {}, &RequestRecord::scheduled_ns);
  return {plan.window_start_ns != 0 ? plan.window_start_ns : first->scheduled_ns,
          plan.window_end_ns != 0 ? plan.window_end_ns : last->scheduled_ns};
}

double TokensIn(const RequestRecord& record, const SteadyWindow& window) {
  if (!record.ok() || record.chunks.empty()) return 0;
  const double even =
      static_cast<double>(record.tokens) / static_cast<double>(record.chunks.size());
  double tokens = 0;
  for (const ChunkTime& chunk : record.chunks) {
    if (chunk.at_ns <= window.start_ns || chunk.at_ns > window.end_ns) continue;
    tokens += chunk.tokens >= 0 ? chunk.tokens : even;
  }
  return tokens;
}

double SecondsIn(const RequestRecord& record, const SteadyWindow& window) {
  const std::int64_t from = std::max(StartOf(record), window.start_ns);
  const std::int64_t to = std::min(record.finished_ns, window.end_ns);
  return to > from ? static_cast<double>(to - from) * 1e-9 : 0.0;
}

}  // namespace harness
