// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string_view>

#include "backend/gguf/metadata.h"

namespace rocm::gguf {

// The numbers of a transformer that memory depends on. In double, so that no file can make their
// products overflow. Must not outlive the metadata.
class AttentionShape {
 public:
  explicit AttentionShape(const Metadata& metadata);

  // Whether the metadata describes a transformer at all; if not, nothing else means anything.
  [[nodiscard]] bool Sane() const;
  [[nodiscard]] int layers() const { return layers_; }
  [[nodiscard]] double width() const { return width_; }
  [[nodiscard]] double vocabulary() const { return vocabulary_; }
  [[nodiscard]] double window() const { return window_; }
  [[nodiscard]] bool has_windows() const { return sliding_period_ > 0; }
  // True where the layer attends to a window only.
  [[nodiscard]] bool Slides(int layer) const {
    return has_windows() && (layer + 1) % sliding_period_ != 0;
  }
  // False where a hybrid model keeps a state of fixed size instead.
  [[nodiscard]] bool Attends(int layer) const {
    return attention_interval_ <= 1 || (layer + 1) % attention_interval_ == 0;
  }
  [[nodiscard]] double Heads(int layer) const { return heads_.At(layer, 0); }
  // Elements of one token in the layer's cache.
  [[nodiscard]] double KeyRow(int layer) const { return KvHeads(layer) * key_width_; }
  [[nodiscard]] double ValueRow(int layer) const { return KvHeads(layer) * value_width_; }
  [[nodiscard]] double QueryWidth() const { return Heads(0) * key_width_; }
  // What one token makes a feed-forward layer hold at once.
  [[nodiscard]] double feed_forward() const { return feed_forward_; }

 private:
  // One number for all layers, or an array with one for each.
  struct PerLayer {
    double all = 0;
    bool given = false;
    const Array* each = nullptr;
    [[nodiscard]] double At(int layer, double otherwise) const;
  };
  [[nodiscard]] double KvHeads(int layer) const { return kv_heads_.At(layer, Heads(layer)); }
  [[nodiscard]] static PerLayer Find(const Metadata& metadata, std::string_view key);
  [[nodiscard]] static double Number(const Metadata& metadata, std::string_view key,
                                     double otherwise);

  int layers_;
  double width_;
  double vocabulary_;
  double window_;
  int sliding_period_;
  int attention_interval_;
  PerLayer heads_;
  PerLayer kv_heads_;
  double key_width_ = 0;
  double value_width_ = 0;
  double feed_forward_ = 0;
};

}  // namespace rocm::gguf
