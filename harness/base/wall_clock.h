// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace harness {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// The time of day, to label a run; never to measure (rocm::Now() does). The one place that reads
// it.
[[nodiscard]] WallTime WallNow();

// "2026-11-20T10:15:30.123Z".
[[nodiscard]] std::string FormatUtc(WallTime time);
// What FormatUtc() wrote; nullopt for anything else.
[[nodiscard]] std::optional<WallTime> ParseUtc(std::string_view text);
// "20261120T101530Z": sorts by time and is safe in a file name.
[[nodiscard]] std::string FormatUtcCompact(WallTime time);

}  // namespace harness
