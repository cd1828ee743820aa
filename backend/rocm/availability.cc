// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/availability.h"

#include "backend/gpu/devices.h"
#include "backend/llama_server/server.h"

namespace rocm {

Availability CheckAvailability(BackendKind kind) {
  Availability availability;
  if (kind == BackendKind::kRocm || kind == BackendKind::kCuda) {
    const gpu::Inventory inventory = gpu::Probe();
    availability.reasons =
        kind == BackendKind::kRocm ? inventory.rocm.reasons : inventory.cuda.reasons;
  }
  if (auto binary = llama_server::FindServerBinary(); !binary) {
    availability.reasons.push_back(binary.error().message);
  }
  availability.available = availability.reasons.empty();
  return availability;
}

}  // namespace rocm
