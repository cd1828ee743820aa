// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/availability.h"

#include "backend/llama_server/server.h"

namespace rocm {

Availability CheckAvailability(BackendKind) {
  Availability availability;
  if (auto binary = llama_server::FindServerBinary(); !binary) {
    availability.reasons.push_back(binary.error().message);
  }
  availability.available = availability.reasons.empty();
  return availability;
}

}  // namespace rocm
