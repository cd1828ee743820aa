// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <string>

namespace rocm::process {

// `bytes` bytes of the kernel's randomness in hexadecimal: for keys, names and identities that
// nobody may guess. Aborts where the kernel gives none.
[[nodiscard]] std::string RandomId(std::size_t bytes);

}  // namespace rocm::process
