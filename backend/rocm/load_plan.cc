// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/load_plan.h"

#include <algorithm>
#include <string>

#include "backend/gguf/metadata.h"
#include "backend/rocm/device_plan.h"

namespace rocm {
namespace {

Result<void> CheckConfig(const LoadConfig& config) {
  const auto refuse = [](std::string_view what, int value) {
    return Fail(ErrorCode::kInvalidArgument,
                "LoadConfig::" + std::string(what) + " is " + std::to_string(value));
  };
  if (config.context_len < 0) return refuse("context_len", config.context_len);
  if (config.parallel_slots < 0) return refuse("parallel_slots", config.parallel_slots);
  if (config.gpu_layers < -1) return refuse("gpu_layers", config.gpu_layers);
  if (config.threads < 0) return refuse("threads", config.threads);
  if (config.expected_streams < 0) return refuse("expected_streams", config.expected_streams);
  if (config.restart.max_restarts < 0)
    return refuse("restart.max_restarts", config.restart.max_restarts);
  return {};
}

ModelInfo DescribeModel(const gguf::Metadata& metadata) {
  ModelInfo info;
  info.architecture = metadata.architecture;
  info.name = metadata.name;
  info.quantisation = metadata.quantisation;
  info.file_bytes = static_cast<std::int64_t>(metadata.file_bytes);
  info.parameters = static_cast<std::int64_t>(metadata.parameters);
  info.vocab_size = metadata.vocab_size;
  info.layers = metadata.layers;
  info.hidden_size = metadata.hidden_size;
  info.context_length = metadata.context_length;
  info.bits_per_weight = metadata.bits_per_weight;
  return info;
}

}  // namespace

void Report(const LoadConfig& config, LoadProgress::State state, std::string detail) {
  if (!config.on_progress) return;
  LoadProgress progress;
  progress.state = state;
  progress.detail = std::move(detail);
  config.on_progress(progress);
}

Result<LoadPlan> PlanLoad(BackendKind kind, const std::string& path, const LoadConfig& config) {
  if (auto ok = CheckConfig(config); !ok) return Fail(std::move(ok.error()));
  Report(config, LoadProgress::State::kChecking, path);
  const auto metadata = gguf::ReadMetadata(path);
  if (!metadata) return Fail(metadata.error());

  auto device = PlanDevice(kind, config, OwnEnvironment());
  if (!device) return Fail(std::move(device.error()));
  const auto context = FitContext(*metadata, config, *device);
  if (!context) return Fail(context.error());

  LoadPlan plan;
  plan.backend = ToString(kind);
  plan.model = DescribeModel(*metadata);
  plan.server.model_path = path;
  plan.server.load = config;
  plan.server.slots = std::max(config.parallel_slots, 1);
  plan.server.context_per_slot = *context;
  if (kind == BackendKind::kCpu) plan.server.load.gpu_layers = 0;
  gguf::MemoryRequest request = MemoryRequestOf(plan.server.load);
  request.context_per_slot = *context;
  if (auto estimate = gguf::EstimateMemory(*metadata, request)) plan.estimate = *estimate;
  plan.server.device_environment = std::move(device->mask.set);
  plan.server.cleared_environment = std::move(device->mask.cleared);
  plan.server.device_argument = std::move(device->mask.device_argument);
  plan.expected_device = std::move(device->mask.expected_device);
  plan.runtime = RuntimeOf(kind);
  plan.device = std::move(device->device);
  return plan;
}

}  // namespace rocm
