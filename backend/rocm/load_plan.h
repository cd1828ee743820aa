// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <string>

#include "backend/config.h"
#include "backend/gguf/estimate.h"
#include "backend/gpu/devices.h"
#include "backend/gpu/mask.h"
#include "backend/llama_server/server.h"
#include "backend/model.h"
#include "backend/rocm/server_backend.h"

namespace rocm {

// Everything decided before a process is started: what the file is, what it needs, where it goes.
struct LoadPlan {
  std::string backend;  // "rocm", "cuda", …
  ModelInfo model;      // the part of it that the file tells
  llama_server::ServerConfig server;
  // The device the model is pinned to, as the server's log will name it; empty: not pinned.
  std::string expected_device;
  gpu::Runtime runtime = gpu::Runtime::kCpu;     // whose devices may be used
  std::optional<gpu::Device> device;             // where this library can see it
  std::optional<gguf::MemoryEstimate> estimate;  // where the metadata describes a transformer
};

// Reads the model file, settles context, slots and device, and holds the estimate against the
// card. Fails with kInvalidArgument, kModelNotFound, kModelInvalid, kDeviceError or
// kInsufficientMemory, before anything large is read or written.
[[nodiscard]] Result<LoadPlan> PlanLoad(BackendKind kind, const std::string& path,
                                        const LoadConfig& config);

// Calls LoadConfig::on_progress, if there is one.
void Report(const LoadConfig& config, LoadProgress::State state, std::string detail = {});

}  // namespace rocm
