// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <string_view>

#include "backend/backend.h"

namespace rocm {

// One implementation, registered under five names, so that no record calls an NVIDIA run "rocm".
// They differ in what Available() asks for and in how the device is pinned.
enum class BackendKind { kRocm, kCuda, kVulkan, kSycl, kCpu };
[[nodiscard]] std::string_view ToString(BackendKind kind);

// On platforms other than Linux: a stub whose Available() says why and whose LoadModel fails with
// kBackendUnavailable.
[[nodiscard]] std::shared_ptr<Backend> MakeServerBackend(BackendKind kind);

}  // namespace rocm
