// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "backend/gpu/mask.h"

namespace rocm::llama_server {

// A device as `llama-server --list-devices` names it.
struct ListedDevice {
  std::string name;         // "Vulkan0"
  std::string description;  // "llvmpipe (LLVM 22.1.8, 256 bits)"
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  friend bool operator==(const ListedDevice&, const ListedDevice&) = default;
};

// From the output of --list-devices; other lines are passed over.
[[nodiscard]] std::vector<ListedDevice> ParseDeviceList(std::string_view text);

// What the binary can put layers on, as a server with this mask and these variables of the user's
// would see it; nullopt where the build knows no --list-devices. Takes as long as the driver does.
[[nodiscard]] Result<std::optional<std::vector<ListedDevice>>> ListDevices(
    const std::string& binary, const gpu::Mask& mask,
    const std::map<std::string, std::string>& environment);

}  // namespace rocm::llama_server
