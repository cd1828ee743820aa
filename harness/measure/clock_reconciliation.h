// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "harness/measure/distribution.h"
#include "harness/measure/request_record.h"

namespace harness {

// Where one request's time went, by its own times and the server's final `timings`.
//
//   scheduled ─client─▶ sent ─queue─▶ first byte ─prefill─▶ first token ─decode─▶ last token
//
// llama-server sends its headers when the request gets a slot, so the first byte ends the queue.
struct RequestClocks {
  double client_ms = 0;            // scheduled → sent: ours
  double queue_ms = 0;             // sent → first byte
  double prefill_residual_ms = 0;  // (first byte → first token) - prompt_ms
  double decode_residual_ms = 0;   // (first token → last token) - predicted_ms: transport and us
};
// nullopt without timings, for a request that failed, or with fewer than two tokens.
[[nodiscard]] std::optional<RequestClocks> Reconcile(const RequestRecord& record);

// llama-server's own counters, from /metrics before and after a stage.
struct ServerCounters {
  double prompt_tokens = 0;
  double prompt_seconds = 0;
  double predicted_tokens = 0;
  double predicted_seconds = 0;
};

// All requests of a stage.
struct StageClocks {
  Distribution client_ms;
  Distribution queue_ms;
  Distribution prefill_residual_ms;
  Distribution decode_residual_ms;
  double decode_residual_share = 0;  // |sum of residuals| / sum of predicted_ms
  // Server counter - sum over our records; 0 when every token is accounted for. Empty without
  // counters.
  std::optional<std::int64_t> prompt_tokens_unexplained;
  std::optional<std::int64_t> predicted_tokens_unexplained;
};
[[nodiscard]] StageClocks ReconcileStage(std::span<const RequestRecord> records,
                                         const std::optional<ServerCounters>& before,
                                         const std::optional<ServerCounters>& after);

}  // namespace harness
