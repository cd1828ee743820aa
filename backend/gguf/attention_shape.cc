// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/attention_shape.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace rocm::gguf {
namespace {

constexpr int kMostLayers = 4096;

// Layers of a period in which the last one attends to everything and the others to a window; 0
// where all attend to everything.
int SlidingPeriod(const Metadata& metadata) {
  struct Known {
    std::string_view architecture;
    int period;
  };
  constexpr std::array<Known, 5> kKnown = {
      {{"gemma3", 6}, {"gemma2", 2}, {"gpt-oss", 2}, {"cohere2", 4}, {"exaone4", 4}}};
  if (metadata.Unsigned(metadata.ArchitectureKey("attention.sliding_window")).value_or(0) == 0) {
    return 0;
  }
  for (const Known& known : kKnown) {
    if (known.architecture == metadata.architecture) return known.period;
  }
  return 0;
}

}  // namespace

AttentionShape::AttentionShape(const Metadata& metadata)
    : layers_(metadata.layers),
      width_(metadata.hidden_size),
      vocabulary_(metadata.vocab_size),
      window_(Number(metadata, "attention.sliding_window", 0)),
      sliding_period_(SlidingPeriod(metadata)),
      attention_interval_(static_cast<int>(
          std::min(Number(metadata, "full_attention_interval", 0), double{kMostLayers}))),
      heads_(Find(metadata, "attention.head_count")),
      kv_heads_(Find(metadata, "attention.head_count_kv")) {
  const double head_width = Heads(0) > 0 ? width_ / Heads(0) : 0;
  key_width_ = Number(metadata, "attention.key_length", head_width);
  value_width_ = Number(metadata, "attention.value_length", head_width);
  const double sparse =
      Number(metadata, "expert_used_count", 0) * Number(metadata, "expert_feed_forward_length", 0) +
      Number(metadata, "expert_shared_feed_forward_length", 0);
  feed_forward_ = std::max(Find(metadata, "feed_forward_length").At(0, 0), sparse);
}

bool AttentionShape::Sane() const {
  return layers_ > 0 && layers_ <= kMostLayers && width_ > 0 && Heads(0) > 0 && key_width_ > 0;
}

double AttentionShape::PerLayer::At(int layer, double otherwise) const {
  if (each == nullptr) return given ? all : otherwise;
  const auto index = static_cast<std::size_t>(layer);
  return index < each->elements.size() ? std::max(0.0, each->elements[index]) : otherwise;
}

AttentionShape::PerLayer AttentionShape::Find(const Metadata& metadata, std::string_view key) {
  PerLayer found;
  const std::string full = metadata.ArchitectureKey(key);
  found.each = metadata.ArrayAt(full);
  const auto number = metadata.Unsigned(full);
  found.given = number.has_value();
  found.all = static_cast<double>(number.value_or(0));
  return found;
}

double AttentionShape::Number(const Metadata& metadata, std::string_view key, double otherwise) {
  const auto value = metadata.Unsigned(metadata.ArchitectureKey(key));
  return value ? static_cast<double>(*value) : otherwise;
}

}  // namespace rocm::gguf
