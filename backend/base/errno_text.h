// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <system_error>

namespace rocm {

// "No such file or directory". Unlike strerror() safe from any thread.
[[nodiscard]] inline std::string ErrnoText(int error) {
  return std::generic_category().message(error);
}

}  // namespace rocm
