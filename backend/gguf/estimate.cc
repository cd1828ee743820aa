// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "backend/gguf/attention_shape.h"
#include "backend/gguf/printable.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {
namespace {

// All sums in double: exact to 2^53 bytes, and no file can make it overflow.
using Bytes = double;

constexpr int kCellUnit = 256;  // the KV cache grows in such steps
constexpr Bytes kSmallInputs = 32 << 10;

std::uint64_t ToBytes(Bytes bytes) {
  if (bytes <= 0) return 0;
  return bytes < 0x1p63 ? static_cast<std::uint64_t>(bytes + 0.5)
                        : std::numeric_limits<std::uint64_t>::max() / 8;
}

double PadCells(double cells) {
  const double units = std::max(1.0, (cells + kCellUnit - 1) / kCellUnit);
  return static_cast<double>(static_cast<std::uint64_t>(std::min(units, 0x1p40))) * kCellUnit;
}

struct CacheType {
  double block_elements = 1;
  double block_bytes = 2;
  [[nodiscard]] Bytes Row(double elements) const { return elements / block_elements * block_bytes; }
};

Result<CacheType> ParseCacheType(std::string_view name) {
  constexpr std::array<std::string_view, 9> kAllowed = {"f32",  "f16",    "bf16", "q8_0", "q4_0",
                                                        "q4_1", "iq4_nl", "q5_0", "q5_1"};
  if (name.empty()) name = "f16";
  if (std::find(kAllowed.begin(), kAllowed.end(), name) == kAllowed.end()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("no KV cache type '{}'; there are {}", Printable(name, 40),
                            fmt::join(kAllowed, ", ")));
  }
  std::uint32_t type = 0;
  while (FindTraits(type) == nullptr || FindTraits(type)->name != name) ++type;
  const TensorTypeTraits& traits = *FindTraits(type);
  return CacheType{static_cast<double>(traits.block_elements),
                   static_cast<double>(traits.block_bytes)};
}

// "blk.12.attn_q.weight" belongs to layer 12.
std::optional<int> LayerOf(std::string_view tensor) {
  constexpr std::string_view kPrefix = "blk.";
  if (!tensor.starts_with(kPrefix)) return std::nullopt;
  const std::string_view rest = tensor.substr(kPrefix.size());
  int layer = -1;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  if (parsed.ec != std::errc{} || layer < 0) return std::nullopt;
  return layer;
}

// Looked up row by row, so it stays with the processor that prepares the batch.
bool IsEmbedding(std::string_view tensor) {
  return tensor.starts_with("token_embd") || tensor.starts_with("token_types") ||
         tensor.starts_with("position_embd") || tensor.starts_with("per_layer_token_embd");
}

struct Cells {
  double full = 0;     // of a layer that attends to everything
  double sliding = 0;  // of one that attends to a window
  double streams = 1;  // that many times
};

class Estimator {
 public:
  Estimator(const Metadata& metadata, const MemoryRequest& request, CacheType k, CacheType v)
      : metadata_(metadata),
        request_(request),
        shape_(metadata),
        k_(k),
        v_(v),
        first_on_device_(FirstOnDevice()),
        output_on_device_(request.gpu_layers != 0) {
    context_ = request.context_per_slot > 0 ? request.context_per_slot : AutomaticContext(metadata);
    batch_ = std::min(double{1} * request.micro_batch, double{1} * context_ * request.slots);
    cells_ = CountCells();
  }

  [[nodiscard]] MemoryEstimate Estimate() const {
    MemoryEstimate out;
    out.context_per_slot = context_;
    out.layers_total = shape_.layers() + 1;
    out.layers_on_device = shape_.layers() - first_on_device_ + static_cast<int>(output_on_device_);
    AddWeights(out);
    AddCache(out);
    AddCompute(out);
    constexpr std::array<std::string_view, 4> kProven = {"llama", "qwen2", "qwen3", "gemma3"};
    out.proven = std::find(kProven.begin(), kProven.end(), metadata_.architecture) != kProven.end();
    return out;
  }

 private:
  [[nodiscard]] bool OnDevice(int layer) const { return layer >= first_on_device_; }
  // The output is offloaded first, then the layers from the last one on.
  [[nodiscard]] int FirstOnDevice() const {
    if (request_.gpu_layers < 0) return 0;
    return std::max(0, shape_.layers() + 1 - std::max(1, request_.gpu_layers));
  }

  [[nodiscard]] Cells CountCells() const {
    const double slots = request_.slots;
    Cells cells;
    cells.full = PadCells(context_ * (request_.unified_kv ? slots : 1.0));
    cells.streams = request_.unified_kv ? 1.0 : slots;
    const double windows = shape_.window() * (request_.unified_kv ? slots : 1.0);
    cells.sliding = std::min(cells.full, PadCells(windows + batch_));
    return cells;
  }

  void AddWeights(MemoryEstimate& out) const {
    Bytes device = 0;
    Bytes host = 0;
    Bytes embedding = 0;
    bool own_output = false;
    for (const TensorInfo& tensor : metadata_.tensors) {
      const auto bytes = static_cast<Bytes>(tensor.bytes);
      const std::optional<int> layer = LayerOf(tensor.name);
      const bool there = layer ? OnDevice(*layer) : output_on_device_;
      if (tensor.name == "token_embd.weight") embedding = bytes;
      if (tensor.name == "output.weight") own_output = true;
      (there && !IsEmbedding(tensor.name) ? device : host) += bytes;
    }
    // Where the embeddings serve as the output too, the device gets its own copy.
    if (output_on_device_ && !own_output) device += embedding;
    out.device.weights = ToBytes(device);
    out.host.weights = ToBytes(host);
  }

  void AddCache(MemoryEstimate& out) const {
    Bytes device = 0;
    Bytes host = 0;
    for (int layer = 0; layer < shape_.layers(); ++layer) {
      if (!shape_.Attends(layer)) continue;
      const Bytes cell = k_.Row(shape_.KeyRow(layer)) + v_.Row(shape_.ValueRow(layer));
      const double count = shape_.Slides(layer) ? cells_.sliding : cells_.full;
      (OnDevice(layer) ? device : host) += cell * count * cells_.streams;
    }
    out.device.kv = ToBytes(device);
    out.host.kv = ToBytes(host);
  }

  // One mask for the layers of each kind: a row of cells for each token of the batch.
  [[nodiscard]] Bytes Masks() const {
    const double cells = cells_.full + (shape_.has_windows() ? cells_.sliding : 0.0);
    return batch_ * cells * (request_.flash_attention ? 2.0 : 4.0);
  }

  // The peak of one layer over a micro-batch: in the feed-forward part three of its vectors and
  // five of the model's width are alive; without flash attention the scores of all heads against
  // all cells may be more.
  [[nodiscard]] Bytes LayerPeak() const {
    const double feed_forward = 3 * shape_.feed_forward() + 5 * shape_.width();
    if (request_.flash_attention) return 4 * batch_ * feed_forward;
    const double attention = shape_.Heads(0) * cells_.full + 4 * shape_.width() +
                             2 * shape_.QueryWidth() + 2 * shape_.KeyRow(0);
    return 4 * batch_ * std::max(feed_forward, attention);
  }

  [[nodiscard]] Bytes Logits() const {
    const double rows = request_.logits_of_whole_batch ? batch_ : double{1} * request_.slots;
    return 4 * rows * shape_.vocabulary();
  }

  // With layers left on the host, large batches still run on the device: it needs room for the
  // largest matrix that is sent there.
  [[nodiscard]] Bytes LargestVisitor() const {
    Bytes largest = 0;
    for (const TensorInfo& tensor : metadata_.tensors) {
      const std::optional<int> layer = LayerOf(tensor.name);
      const bool at_home = layer ? OnDevice(*layer) : output_on_device_;
      if (at_home || IsEmbedding(tensor.name)) continue;
      largest = std::max(largest, static_cast<Bytes>(tensor.bytes));
    }
    return largest;
  }

  void AddCompute(MemoryEstimate& out) const {
    const Bytes peak = std::max(LayerPeak(), Logits() + 4 * batch_ * shape_.width()) + kSmallInputs;
    const Bytes output_buffer = 4 * double{1} * request_.slots * shape_.vocabulary();
    if (!output_on_device_) {
      out.host.compute = ToBytes(Masks() + peak + output_buffer);
      return;
    }
    out.device.compute = ToBytes(Masks() + peak + LargestVisitor());
    out.host.compute = ToBytes(Masks() + 4 * 4 * batch_ * shape_.width() + output_buffer);
    out.device.overhead = request_.device_overhead;
  }

  const Metadata& metadata_;
  const MemoryRequest& request_;
  AttentionShape shape_;
  CacheType k_;
  CacheType v_;
  int first_on_device_;
  bool output_on_device_;
  int context_ = 0;
  double batch_ = 0;
  Cells cells_;
};

}  // namespace

int AutomaticContext(const Metadata& metadata) {
  constexpr int kCap = 4096;
  return metadata.context_length > 0 ? std::min(metadata.context_length, kCap) : kCap;
}

Result<MemoryEstimate> EstimateMemory(const Metadata& metadata, const MemoryRequest& request) {
  if (request.slots < 1 || request.slots > 65536 || request.micro_batch < 1 ||
      request.context_per_slot < 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot estimate for {} slots of {} tokens and micro-batches of {}",
                            request.slots, request.context_per_slot, request.micro_batch));
  }
  const Result<CacheType> k = ParseCacheType(request.kv_type_k);
  if (!k) return tl::unexpected(k.error());
  const Result<CacheType> v = ParseCacheType(request.kv_type_v);
  if (!v) return tl::unexpected(v.error());
  if (!AttentionShape(metadata).Sane()) {
    return Fail(ErrorCode::kModelUnsupported,
                fmt::format("no estimate for {}: its metadata (architecture '{}') does not give "
                            "layers, width and heads",
                            Printable(metadata.path), Printable(metadata.architecture, 40)));
  }
  return Estimator(metadata, request, *k, *v).Estimate();
}

Result<int> LargestContextThatFits(const Metadata& metadata, MemoryRequest request,
                                   std::uint64_t free_device_bytes) {
  if (request.context_per_slot == 0) request.context_per_slot = AutomaticContext(metadata);
  const Result<MemoryEstimate> all = EstimateMemory(metadata, request);
  if (!all) return tl::unexpected(all.error());
  if (Fits(*all, free_device_bytes)) return request.context_per_slot;
  // Memory grows with the context, so halve the interval of steps.
  int fits = 0;
  int too_many = (request.context_per_slot + kCellUnit - 1) / kCellUnit;
  while (too_many - fits > 1) {
    const int middle = fits + (too_many - fits) / 2;
    request.context_per_slot = middle * kCellUnit;
    const Result<MemoryEstimate> estimate = EstimateMemory(metadata, request);
    if (!estimate) return tl::unexpected(estimate.error());
    (Fits(*estimate, free_device_bytes) ? fits : too_many) = middle;
  }
  return fits * kCellUnit;
}

}  // namespace rocm::gguf
