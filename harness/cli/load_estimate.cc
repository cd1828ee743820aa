// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/load_estimate.h"

#include "backend/gguf/estimate.h"

namespace harness {

std::map<std::string, double> EstimateValues(const TargetFacts& server, const std::string& model) {
  if (server.kind != TargetKind::kLlamaServer) return {};
  const auto metadata = rocm::gguf::ReadMetadata(model);
  if (!metadata) return {};
  rocm::gguf::MemoryRequest request;
  const rocm::AppliedSettings& applied = server.applied;
  if (applied.slots > 0) request.slots = applied.slots;
  if (applied.context_per_slot > 0) request.context_per_slot = applied.context_per_slot;
  request.gpu_layers = server.gpus.empty() ? 0 : applied.gpu_layers;
  request.kv_type_k = applied.kv_type_k;
  request.kv_type_v = applied.kv_type_v;
  request.flash_attention = applied.flash_attention != "off";
  const auto estimate = rocm::gguf::EstimateMemory(*metadata, request);
  if (!estimate || !estimate->proven) return {};
  std::map<std::string, double> values;
  values["estimate_host_bytes"] = static_cast<double>(estimate->host.total());
  if (!server.gpus.empty()) {
    values["estimate_device_bytes"] = static_cast<double>(estimate->device.total());
  }
  return values;
}

}  // namespace harness
