// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>

#include "backend/error.h"
#include "backend/gguf/metadata.h"

namespace rocm::gguf {

// How a model is to be loaded, as far as memory depends on it.
struct MemoryRequest {
  int context_per_slot = 0;  // 0: AutomaticContext()
  int slots = 1;
  int gpu_layers = -1;  // -1: all; else as --n-gpu-layers: the output, then layers from the last
  std::string kv_type_k{};  // empty: "f16"
  std::string kv_type_v{};
  bool flash_attention = true;
  bool unified_kv = false;  // one pool for all slots, --kv-unified
  int micro_batch = 512;    // --ubatch-size
  // Builds before mid-2026 (llama.cpp pull request 23861) hold the logits of a whole micro-batch.
  bool logits_of_whole_batch = false;
  // What the runtime takes on the device besides llama.cpp's own buffers.
  std::uint64_t device_overhead = std::uint64_t{256} << 20;
};

// Bytes. `device` is where the offloaded layers are, `host` all else.
struct MemoryEstimate {
  struct Side {
    std::uint64_t weights = 0;
    std::uint64_t kv = 0;
    std::uint64_t compute = 0;
    std::uint64_t overhead = 0;
    [[nodiscard]] std::uint64_t total() const { return weights + kv + compute + overhead; }
    friend bool operator==(const Side&, const Side&) = default;
  };
  Side device;
  Side host;
  int context_per_slot = 0;
  int layers_on_device = 0;  // of layers_total, both as the server's log counts them
  int layers_total = 0;
  // False for architectures whose formula has not been held against a real server's log.
  bool proven = false;
};

// What a llama-server will allocate, from the metadata alone. Weights and KV cache are exact for
// the proven architectures, compute buffers within a few per cent of what b11669 logs. Fails with
// kInvalidArgument or, where the metadata does not describe a transformer, kModelUnsupported.
[[nodiscard]] Result<MemoryEstimate> EstimateMemory(const Metadata& metadata,
                                                    const MemoryRequest& request);

[[nodiscard]] inline bool Fits(const MemoryEstimate& estimate, std::uint64_t free_device_bytes) {
  return estimate.device.total() <= free_device_bytes;
}

// min(the model's own, 4096).
[[nodiscard]] int AutomaticContext(const Metadata& metadata);

// The largest context per slot, in steps of 256, that is at most the one asked for and fits; 0
// where not even 256 tokens do.
[[nodiscard]] Result<int> LargestContextThatFits(const Metadata& metadata, MemoryRequest request,
                                                 std::uint64_t free_device_bytes);

}  // namespace rocm::gguf
