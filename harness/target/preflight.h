// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/error.h"
#include "backend/gguf/metadata.h"
#include "harness/target/target.h"

namespace harness {

// Where a server with these options would put a model.
struct Room {
  std::string backend;                      // "vulkan"
  std::string label;                        // "Vulkan0: llvmpipe (…)", "this machine's memory"
  std::optional<std::uint64_t> free_bytes;  // nullopt: nobody says
};

// Looks for the device, and asks the server's binary (where there is one) whether it can use it:
// in a second, instead of after gigabytes were written or loaded. Fails with kBackendUnavailable
// for a machine without such a card or a binary without support for it, and with kInvalidArgument
// for a pin that names no device; each in one line that says what there is instead. Of the settings
// gpu_layers and environment matter. Knows nothing of attached servers.
[[nodiscard]] rocm::Result<Room> FindRoom(const TargetOptions& options,
                                          const ServerSettings& settings);

// Holds the estimate against the room: kInsufficientMemory with the figures. A model whose
// architecture the estimate is not proven for passes, and so does everything with
// TargetOptions::ignore_estimate.
[[nodiscard]] rocm::Result<void> CheckFits(const rocm::gguf::Metadata& metadata,
                                           const TargetOptions& options,
                                           const ServerSettings& settings, const Room& room);

}  // namespace harness
