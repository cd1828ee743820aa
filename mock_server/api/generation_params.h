// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mock_server/api/api_error.h"
#include "mock_server/json.h"
#include "mock_server/text/vocabulary.h"

namespace mock {

enum class Api { kNative, kCompletion, kChat };

// nullopt: never this token.
using LogitBias = std::vector<std::pair<TokenId, std::optional<float>>>;

// What one request asks of the generator.
struct GenerationParams {
  // "generation_settings" in llama-server's order, with the request's values in it.
  Json settings;

  bool stream = false;
  bool cache_prompt = true;
  bool return_tokens = false;
  bool return_progress = false;
  bool timings_per_token = false;
  bool verbose = false;
  bool include_usage = false;
  bool post_sampling_probs = false;
  bool ignore_eos = false;
  int n_predict = -1;  // -1: until the context is full
  int n_probs = 0;
  int choices = 1;
  double temperature = 0.8;
  double min_p = 0.05;
  std::uint32_t seed = 0xFFFFFFFF;
  std::vector<std::string> stop_strings;
  std::vector<std::string> response_fields;
  LogitBias logit_bias;
  int id_slot = -1;
};

// What the server starts with: --ignore-eos, -n, --temp … are applied to it.
[[nodiscard]] Json DefaultSettings();

// The members that /props and /slots show: no texts that may be long.
[[nodiscard]] Json ShortSettings(const Json& settings);

// Reads a request body; `slots` bounds "n". Types and ranges are checked as llama-server does, and
// refused in its words.
[[nodiscard]] ApiResult<GenerationParams> ParseGenerationParams(const Json& body, Api api,
                                                                const Json& defaults, int slots);

}  // namespace mock
