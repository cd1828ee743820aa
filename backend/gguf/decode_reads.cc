// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/decode_reads.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace rocm::gguf {
namespace {

bool IsLookedUp(std::string_view name) {
  return name.starts_with("token_embd.") || name.starts_with("position_embd.") ||
         name.starts_with("token_types.") || name.starts_with("per_layer_token_embd.");
}

std::uint64_t RowBytes(const TensorInfo& tensor) {
  const std::uint64_t elements = tensor.elements();
  if (tensor.shape.empty() || elements == 0) return tensor.bytes;
  return tensor.bytes / std::max<std::uint64_t>(elements / tensor.shape.front(), 1);
}

// "blk.12.attn_q.weight" is of layer 12; false for tensors of no layer.
bool IsOfLayerFrom(std::string_view name, std::uint64_t first) {
  if (!name.starts_with("blk.")) return false;
  std::uint64_t layer = 0;
  const auto parsed = std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return parsed.ec == std::errc{} && layer >= first;
}

}  // namespace

DecodeReads WeightsReadPerToken(const Metadata& metadata) {
  const auto number = [&](std::string_view key) {
    return metadata.Unsigned(metadata.ArchitectureKey(key)).value_or(0);
  };
  const std::uint64_t experts = number("expert_count");
  const std::uint64_t used = std::min(number("expert_used_count"), experts);
  const std::uint64_t layers = number("block_count");
  const std::uint64_t evaluated = layers - std::min(number("nextn_predict_layers"), layers);
  const bool tied = std::ranges::none_of(
      metadata.tensors, [](const TensorInfo& tensor) { return tensor.name == "output.weight"; });
  DecodeReads reads;
  for (const TensorInfo& tensor : metadata.tensors) {
    const std::string_view name = tensor.name;
    if (evaluated < layers && IsOfLayerFrom(name, evaluated)) continue;
    if (tied && name == "token_embd.weight") {
      reads.bytes += tensor.bytes;
    } else if (IsLookedUp(name)) {
      reads.bytes += RowBytes(tensor);
    } else if (experts > 0 && used > 0 && name.find("_exps.") != std::string_view::npos) {
      reads.bytes += tensor.bytes / experts * used;
      reads.experts = reads.experts || used < experts;
    } else {
      reads.bytes += tensor.bytes;
    }
  }
  return reads;
}

}  // namespace rocm::gguf
