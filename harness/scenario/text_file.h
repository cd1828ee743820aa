// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <string>

#include "backend/error.h"

namespace harness {

// The whole of a regular file. Refuses anything else (a FIFO would block) and more than
// `max_bytes`; the message names the file.
[[nodiscard]] rocm::Result<std::string> ReadTextFile(const std::string& path,
                                                     std::size_t max_bytes);

}  // namespace harness
