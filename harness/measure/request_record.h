// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/model.h"
#include "harness/measure/answer_quality.h"

namespace harness {

// One chunk (an SSE event with content): when the read that completed it returned, and how many
// tokens it carried. tokens is -1 where the server does not say per chunk.
struct ChunkTime {
  std::int64_t at_ns = 0;
  std::int32_t tokens = 0;
  bool coalesced = false;  // shares its time with the chunk before
};

// Everything observed about one request. A value; `_ns` are CLOCK_MONOTONIC, 0 = never happened.
struct RequestRecord {
  std::string scenario;
  std::string variant;
  int round = 0;
  std::string stage;
  std::int64_t index = 0;  // in its stage, from 0
  // "ok", or a stable error class: rocm::ToString(ErrorCode).
  std::string outcome;
  std::string error;  // one line, empty when ok
  int http_status = 0;
  std::string finish_reason;
  int tokens = 0;
  std::string token_source;  // "ids", "usage", "timings", "chunks", "none"
  int prompt_tokens = -1;    // -1: the server did not say
  int cached_tokens = -1;
  std::int64_t scheduled_ns = 0;
  std::int64_t connect_ns = 0;  // connect started
  std::int64_t sent_ns = 0;
  std::int64_t first_byte_ns = 0;
  std::int64_t first_token_ns = 0;   // first chunk with non-empty text of any channel
  std::int64_t first_answer_ns = 0;  // first one that is not reasoning
  std::int64_t last_token_ns = 0;
  std::int64_t finished_ns = 0;
  std::vector<ChunkTime> chunks;
  std::optional<rocm::Timings> timings;
  std::string text;  // kept while running, for the answer checks; the file gets its hash
  std::string text_sha256;
  // What is wrong with the answer on its face; empty where it looks like one, or failed.
  std::optional<Degeneration> degeneration;
  std::vector<std::int32_t> ids;

  [[nodiscard]] bool ok() const { return outcome == "ok"; }
};

}  // namespace harness
