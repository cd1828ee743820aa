// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rocm::gguf {

// Names out of a file, made safe for one line of a message: control characters and bytes that are
// not ASCII come as \xNN unless they are valid UTF-8, and no more than `limit` bytes are shown.
[[nodiscard]] std::string Printable(std::string_view text, std::size_t limit = 4096);

}  // namespace rocm::gguf
