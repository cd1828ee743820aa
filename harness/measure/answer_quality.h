// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace harness {

// A backend that is fast and answers garbage must never win. Random weights answer garbage by
// right: scenarios that use them say so and are not judged.
enum class Degeneration {
  kEmpty,          // no text at all
  kInvalidUtf8,    // or U+FFFD, more than one character in twenty
  kRepeatedToken,  // the last half is one token
  kShortCycle,     // the last half repeats at most 16 tokens over and over
};
[[nodiscard]] std::string_view ToString(Degeneration degeneration);
[[nodiscard]] std::optional<Degeneration> ParseDegeneration(std::string_view name);

// Of one answer. `ids` may be empty: then the words of the text are looked at. Answers of fewer
// than 16 tokens are too short to be called repetitive.
[[nodiscard]] std::optional<Degeneration> FindDegeneration(std::string_view text,
                                                           std::span<const std::int32_t> ids);

// Where two greedy answers part: the index of the first differing id; nullopt when they are equal.
// One that is a prefix of the other parts at its end.
[[nodiscard]] std::optional<std::size_t> FirstDivergence(std::span<const std::int32_t> a,
                                                         std::span<const std::int32_t> b);

}  // namespace harness
