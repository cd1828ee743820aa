// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocm::gpu {

// The start of a small text file (64 KiB at most), without white space at its end; nullopt where it
// cannot be read.
[[nodiscard]] std::optional<std::string> ReadText(const std::string& path);

// A file that holds one number, decimal or 0x…; nullopt for anything else.
[[nodiscard]] std::optional<std::uint64_t> ReadUnsigned(const std::string& path);
[[nodiscard]] std::optional<std::uint64_t> ParseUnsigned(std::string_view text);

// "name value" lines, as KFD writes its properties.
[[nodiscard]] std::map<std::string, std::uint64_t> ReadProperties(const std::string& path);

// The names in a folder that are `prefix` and a number, by that number.
[[nodiscard]] std::vector<std::pair<int, std::string>> Numbered(const std::string& folder,
                                                                std::string_view prefix);

}  // namespace rocm::gpu
