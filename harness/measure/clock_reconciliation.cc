// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/clock_reconciliation.h"

#include <cmath>
#include <vector>

namespace harness {
namespace {

double SpanMs(std::int64_t from_ns, std::int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) / 1e6;
}

}  // namespace

std::optional<RequestClocks> Reconcile(const RequestRecord& record) {
  if (!record.ok() || !record.timings || record.tokens < 2) return std::nullopt;
  if (record.sent_ns == 0 || record.first_byte_ns == 0 || record.first_token_ns == 0) {
    return std::nullopt;
  }
  RequestClocks clocks;
  clocks.client_ms = SpanMs(record.scheduled_ns, record.sent_ns);
  clocks.queue_ms = SpanMs(record.sent_ns, record.first_byte_ns);
  clocks.prefill_residual_ms =
      SpanMs(record.first_byte_ns, record.first_token_ns) - record.timings->prompt_ms;
  clocks.decode_residual_ms =
      SpanMs(record.first_token_ns, record.last_token_ns) - record.timings->predicted_ms;
  return clocks;
}

StageClocks ReconcileStage(std::span<const RequestRecord> records,
                           const std::optional<ServerCounters>& before,
                           const std::optional<ServerCounters>& after) {
  std::vector<double> client;
  std::vector<double> queue;
  std::vector<double> prefill;
  std::vector<double> decode;
  double residual = 0;
  double predicted_ms = 0;
  double prompt_tokens = 0;
  double predicted_tokens = 0;
  for (const RequestRecord& record : records) {
    if (record.timings) {
      prompt_tokens += record.timings->prompt_n;
      predicted_tokens += record.timings->predicted_n;
    }
    const auto clocks = Reconcile(record);
    if (!clocks) continue;
    client.push_back(clocks->client_ms);
    queue.push_back(clocks->queue_ms);
    prefill.push_back(clocks->prefill_residual_ms);
    decode.push_back(clocks->decode_residual_ms);
    residual += clocks->decode_residual_ms;
    predicted_ms += record.timings->predicted_ms;
  }
  StageClocks stage{Describe(client),
                    Describe(queue),
                    Describe(prefill),
                    Describe(decode),
                    predicted_ms > 0 ? std::abs(residual) / predicted_ms : 0.0,
                    {},
                    {}};
  if (before && after) {
    stage.prompt_tokens_unexplained =
        std::llround(after->prompt_tokens - before->prompt_tokens - prompt_tokens);
    stage.predicted_tokens_unexplained =
        std::llround(after->predicted_tokens - before->predicted_tokens - predicted_tokens);
  }
  return stage;
}

}  // namespace harness
