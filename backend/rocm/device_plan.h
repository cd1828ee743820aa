// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "backend/config.h"
#include "backend/error.h"
#include "backend/gguf/estimate.h"
#include "backend/gguf/metadata.h"
#include "backend/gpu/devices.h"
#include "backend/gpu/mask.h"
#include "backend/gpu/places.h"
#include "backend/rocm/server_backend.h"

namespace rocm {

[[nodiscard]] gpu::Runtime RuntimeOf(BackendKind kind);

// Where a model goes: the device, and the environment that keeps the server to it.
struct DevicePlan {
  gpu::Mask mask;
  std::optional<gpu::Device> device;               // where this library can see it
  std::optional<std::uint64_t> free_device_bytes;  // before loading
  std::string label;                               // how errors call it; empty: described
};

// Fails with kBackendUnavailable (no such device here, with the reasons) or kInvalidArgument (a pin
// that names none). `environment` is the user's.
[[nodiscard]] Result<DevicePlan> PlanDevice(BackendKind kind, const LoadConfig& config,
                                            const std::map<std::string, std::string>& environment,
                                            const gpu::Places& places = {});

// What the estimate is asked for a load with this configuration.
[[nodiscard]] gguf::MemoryRequest MemoryRequestOf(const LoadConfig& config);

// The context per slot: the caller's, or as much of the automatic one as fits. Fails with
// kInsufficientMemory where the estimate says that the model does not fit the device, with the
// figures; never where there is no device to hold it against, or the caller said to ignore it.
[[nodiscard]] Result<int> FitContext(const gguf::Metadata& metadata, const LoadConfig& config,
                                     const DevicePlan& device);

// This process's environment.
[[nodiscard]] std::map<std::string, std::string> OwnEnvironment();

}  // namespace rocm
