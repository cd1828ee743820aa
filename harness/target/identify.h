// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <stop_token>

#include "backend/error.h"
#include "backend/http/endpoint.h"
#include "harness/target/target.h"

namespace harness {

// Asks a server what it is. Fails where nothing answers, or the key is refused; a server that
// answers but is no llama-server is a fact, not a failure.
[[nodiscard]] rocm::Result<TargetFacts> Identify(const rocm::http::Endpoint& endpoint,
                                                 std::stop_token stop);

// Whether its vocabulary is the chain model's, by what it makes of three of its tokens.
[[nodiscard]] bool SpeaksChain(const rocm::http::Endpoint& endpoint, std::stop_token stop);

}  // namespace harness
