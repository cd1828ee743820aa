// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <string_view>

#include "backend/error.h"

namespace harness {

// Replaces a file as a whole: readers see the old one or the new one, never half of one, also after
// a crash. Makes the folder where it is missing. kIo with the reason otherwise; nothing is left
// behind then.
[[nodiscard]] rocm::Result<void> WriteFileAtomically(const std::filesystem::path& path,
                                                     std::string_view text);

}  // namespace harness
