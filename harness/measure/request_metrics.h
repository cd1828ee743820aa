// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <vector>

#include "harness/measure/request_record.h"

namespace harness {

// What one request's times say; docs/metrics.md defines each. Empty: undefined for this request
// (the moment never came, or fewer than two tokens), never zero in its place.
struct RequestMetrics {
  std::optional<double> ttft_ms;         // first token - scheduled: what the user waited for
  std::optional<double> ttft_sent_ms;    // first token - sent: the server's part
  std::optional<double> ttft_answer_ms;  // first token that is not reasoning - scheduled
  std::optional<double> ttfb_ms;         // first byte - sent
  std::optional<double> connect_ms;      // sent - connect started
  std::optional<double> tpot_ms;         // (last token - first token) / (tokens - 1)
  std::optional<double> decode_tokens_per_s;
  std::optional<double> prefill_tokens_per_s;         // the server's: prompt_n / prompt_ms
  std::optional<double> prefill_client_tokens_per_s;  // prompt tokens / ttft_sent; idle server only
  std::optional<double> e2e_ms;                       // finished - scheduled
  std::optional<double> e2e_sent_ms;                  // finished - sent
  std::optional<double> schedule_lag_ms;              // sent - scheduled
};

// Requests that failed have the times that they reached, so that failures can be looked at; stage
// statistics take the requests that were ok only (schedule lag: all that were sent).
[[nodiscard]] RequestMetrics Measure(const RequestRecord& record);

// Gaps between chunks with content, in order. Chunks of one read are 0 apart: that is what was seen
// on the wire.
[[nodiscard]] std::vector<double> InterChunkGapsMs(const RequestRecord& record);

}  // namespace harness
