// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdlib>
#include <string_view>

namespace rocm {

// Whether bars are held at their full count (ci/soak.sh) and not at the quick one of every run.
[[nodiscard]] inline bool Soak() {
  const char* value = std::getenv("ROCM_SOAK");
  return value != nullptr && std::string_view(value) == "1";
}

template <typename T>
[[nodiscard]] T QuickOrFull(T quick, T full) {
  return Soak() ? full : quick;
}

}  // namespace rocm
