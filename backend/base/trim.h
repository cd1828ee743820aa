// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string_view>

namespace rocm {

// Without the blanks, tabs and carriage returns at its ends.
[[nodiscard]] constexpr std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

}  // namespace rocm
