// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "backend/backend.h"
#include "backend/rocm/server_backend.h"

namespace rocm {

// What a backend of this kind needs on this machine and does not find. Touches no GPU state;
// reads /dev, /sys and PATH.
[[nodiscard]] Availability CheckAvailability(BackendKind kind);

}  // namespace rocm
