// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <span>
#include <string_view>

namespace mock {

// Which builds know a flag.
inline constexpr unsigned kOld = 1;
inline constexpr unsigned kMid = 2;
inline constexpr unsigned kCurrent = 4;
inline constexpr unsigned kAll = kOld | kMid | kCurrent;

// One of llama-server's flags; most are accepted and have no effect on the mock.
struct Flag {
  std::string_view names;  // by spaces; a name with "no-" in it means off
  std::string_view value;  // what --help calls it; empty: a switch
  std::string_view environment;
  unsigned builds = kAll;

  [[nodiscard]] bool Has(std::string_view name) const;
  [[nodiscard]] int values() const;
};

[[nodiscard]] std::span<const Flag> AllFlags();
// Null when the build does not know it.
[[nodiscard]] const Flag* FindFlag(std::string_view name, unsigned build);

}  // namespace mock
