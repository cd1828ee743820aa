// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>

#include "backend/gguf/metadata.h"

namespace rocm::gguf {

// The weights that a server reads from memory to generate one token of one stream.
struct DecodeReads {
  std::uint64_t bytes = 0;
  // Some layers read only a few of their experts for a token. Streams that decode together choose
  // different ones, so that for those `bytes` holds for a single stream only.
  bool experts = false;
};

// By llama.cpp's compute graphs (src/llama-model.cpp, src/models/): every tensor is read whole for
// every token, but for
// - tables that are looked up: one row of token_embd, position_embd, token_types and
//   per_layer_token_embd; yet token_embd is read whole where there is no output.weight, because it
//   is then the output matrix too;
// - experts (ffn_*_exps): expert_used_count of expert_count;
// - the last nextn_predict_layers layers, which only speculative decoding evaluates.
// Caches (KV, activations) are not weights and not counted.
[[nodiscard]] DecodeReads WeightsReadPerToken(const Metadata& metadata);

}  // namespace rocm::gguf
