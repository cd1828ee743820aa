// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

namespace harness {

// 16 hex digits from the kernel: a name, never an input of a measurement (harness::Random is).
[[nodiscard]] std::string UniqueId();

}  // namespace harness
