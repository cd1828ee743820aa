// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <string_view>

#include "backend/http/endpoint.h"
#include "harness/measure/clock_reconciliation.h"

namespace harness {

// llama-server's own counters, from /metrics. nullopt where the server has none. One call before
// and one after a stage: polling more often than once a second starves the server's check for
// closed streams.
[[nodiscard]] std::optional<ServerCounters> ReadServerCounters(
    const rocm::http::Endpoint& endpoint);

// From the text that /metrics answers.
[[nodiscard]] std::optional<ServerCounters> ParseServerCounters(std::string_view text);

}  // namespace harness
