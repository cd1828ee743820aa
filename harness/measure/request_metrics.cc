// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/request_metrics.h"

#include <cstddef>
#include <cstdint>

namespace harness {
namespace {

constexpr double kNsPerMs = 1e6;

std::optional<double> SpanMs(std::int64_t from_ns, std::int64_t to_ns) {
  if (from_ns == 0 || to_ns == 0) return std::nullopt;
  return static_cast<double>(to_ns - from_ns) / kNsPerMs;
}

// The first token belongs to the prefill, so n tokens have n - 1 intervals. Tokens that all came in
// one read have no measurable interval.
void SetDecode(const RequestRecord& record, RequestMetrics& metrics) {
  const auto span = SpanMs(record.first_token_ns, record.last_token_ns);
  if (!span || record.tokens < 2 || *span <= 0) return;
  const double intervals = record.tokens - 1;
  metrics.tpot_ms = *span / intervals;
  metrics.decode_tokens_per_s = intervals * 1e3 / *span;
}

void SetPrefill(const RequestRecord& record, RequestMetrics& metrics) {
  if (record.timings && record.timings->prompt_n > 0 && record.timings->prompt_ms > 0) {
    metrics.prefill_tokens_per_s = record.timings->prompt_n * 1e3 / record.timings->prompt_ms;
  }
  if (record.prompt_tokens > 0 && record.cached_tokens <= 0 && metrics.ttft_sent_ms &&
      *metrics.ttft_sent_ms > 0) {
    metrics.prefill_client_tokens_per_s = record.prompt_tokens * 1e3 / *metrics.ttft_sent_ms;
  }
}

}  // namespace

RequestMetrics Measure(const RequestRecord& record) {
  RequestMetrics metrics;
  metrics.ttft_ms = SpanMs(record.scheduled_ns, record.first_token_ns);
  metrics.ttft_sent_ms = SpanMs(record.sent_ns, record.first_token_ns);
  metrics.ttft_answer_ms = SpanMs(record.scheduled_ns, record.first_answer_ns);
  metrics.ttfb_ms = SpanMs(record.sent_ns, record.first_byte_ns);
  metrics.connect_ms = SpanMs(record.connect_ns, record.sent_ns);
  metrics.e2e_ms = SpanMs(record.scheduled_ns, record.finished_ns);
  metrics.e2e_sent_ms = SpanMs(record.sent_ns, record.finished_ns);
  metrics.schedule_lag_ms = SpanMs(record.scheduled_ns, record.sent_ns);
  SetDecode(record, metrics);
  SetPrefill(record, metrics);
  return metrics;
}

std::vector<double> InterChunkGapsMs(const RequestRecord& record) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < record.chunks.size(); ++i) {
    gaps.push_back(static_cast<double>(record.chunks[i].at_ns - record.chunks[i - 1].at_ns) /
                   kNsPerMs);
  }
  return gaps;
}

}  // namespace harness
