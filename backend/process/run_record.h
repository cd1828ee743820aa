// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rocm::process {

inline constexpr std::string_view kRunMarker = "ROCM_BACKEND_RUN";
inline constexpr const char* kRunRecordFile = "child";

// The name of a run directory: which process made it.
struct RunName {
  std::uint64_t pid_namespace = 0;
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string random{};

  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] static std::optional<RunName> Parse(std::string_view name);
  friend bool operator==(const RunName&, const RunName&) = default;
};

// Which process the run directory's child is. One "key=value" a line; the executable comes last and
// may hold any byte but NUL.
struct RunRecord {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string exe{};
  std::string boot_id{};

  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] static std::optional<RunRecord> Parse(std::string_view text);
  friend bool operator==(const RunRecord&, const RunRecord&) = default;
};

}  // namespace rocm::process
