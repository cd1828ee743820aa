// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rocm::gguf {

inline constexpr std::uint64_t kMaxShards = 1024;

// "dir/name-00001-of-00003.gguf" is shard 1 of 3 of "dir/name".
struct ShardName {
  std::string stem;
  std::uint32_t index = 0;  // from 1
  std::uint32_t count = 0;
};

// nullopt for a name that is not of that form, or whose index is not within its count.
[[nodiscard]] std::optional<ShardName> ParseShardName(std::string_view path);
[[nodiscard]] std::string ShardPath(std::string_view stem, std::uint32_t index,
                                    std::uint32_t count);

}  // namespace rocm::gguf
