// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace harness {

// Three or four significant digits, as tables show them.
[[nodiscard]] std::string TableNumber(double value);
// Characters, not bytes.
[[nodiscard]] std::size_t TextWidth(std::string_view text);

// Columns as wide as their widest cell, two spaces between them; those in `left` hold words, the
// others numbers. A column without any cell is left out; no blanks at the ends of lines.
template <std::size_t N>
[[nodiscard]] std::string FormatColumns(std::span<const std::array<std::string, N>> rows,
                                        std::initializer_list<std::size_t> left) {
  std::array<std::size_t, N> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < N; ++i) widths[i] = std::max(widths[i], TextWidth(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < N; ++i) {
      if (widths[i] == 0) continue;
      const std::string pad(widths[i] - TextWidth(row[i]), ' ');
      const bool words = std::ranges::find(left, i) != left.end();
      if (i > 0) out += "  ";
      out += words ? row[i] + pad : pad + row[i];
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

}  // namespace harness
