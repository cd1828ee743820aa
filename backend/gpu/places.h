// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <string_view>

namespace rocm::gpu {

// Where the machine is looked at. Tests put a tree of their own in its place.
struct Places {
  std::string root;                        // before "/sys", "/dev", "/proc" and "/usr"
  std::string nvml = "libnvidia-ml.so.1";  // for dlopen; empty: no NVIDIA
  [[nodiscard]] std::string At(std::string_view path) const { return root + std::string(path); }
};

}  // namespace rocm::gpu
