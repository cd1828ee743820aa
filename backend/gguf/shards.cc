// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/shards.h"

#include <fmt/format.h>

#include <charconv>

namespace rocm::gguf {
namespace {

std::optional<std::uint32_t> FiveDigits(std::string_view text) {
  std::uint32_t value = 0;
  if (text.size() != 5) return std::nullopt;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<ShardName> ParseShardName(std::string_view path) {
  constexpr std::string_view kForm = "-00001-of-00001.gguf";
  if (path.size() <= kForm.size()) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kForm.size());
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf") {
    return std::nullopt;
  }
  const auto index = FiveDigits(tail.substr(1, 5));
  const auto count = FiveDigits(tail.substr(10, 5));
  if (!index || !count || *index == 0 || *index > *count) return std::nullopt;
  return ShardName{std::string(path.substr(0, path.size() - kForm.size())), *index, *count};
}

std::string ShardPath(std::string_view stem, std::uint32_t index, std::uint32_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, index, count);
}

}  // namespace rocm::gguf
