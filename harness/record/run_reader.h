// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"

namespace harness {

// A line longer than this, or nested deeper than 64 levels, is damage.
inline constexpr std::int64_t kMaxRunLine = 64LL << 20;

// What reading a whole run file found beside its lines.
struct RunDamage {
  bool torn_end = false;  // bytes after the last newline: the writer was killed
  std::int64_t broken_lines = 0;
};

// kTotals: requests and the summaries of later rounds are passed over without parsing them. They
// are nearly all of a file; what is left is the summary over all rounds, or of the only one.
enum class RunParts { kAll, kTotals };

// Hands over each whole line that is a JSON object with a type, in order. kIo when the file cannot
// be read; damage inside is counted and never an error.
[[nodiscard]] rocm::Result<RunDamage> ReadRun(
    const std::filesystem::path& path,
    const std::function<void(const nlohmann::json& line)>& on_line,
    RunParts parts = RunParts::kAll);

// One run as a list shows it, from its first and last lines alone.
struct RunInfo {
  std::filesystem::path path;
  std::string run_id;
  std::string started_at;
  std::string target;
  std::string suite;
  std::vector<std::string> scenarios;
  std::string state;  // "running", "valid", "partial", "invalid", "damaged" (no header)
  std::vector<std::string> reasons;
  std::int64_t requests = -1;  // -1: not known without an end
  std::int64_t bytes = 0;
};
[[nodiscard]] rocm::Result<RunInfo> InspectRun(const std::filesystem::path& path);

// All *.jsonl of a directory, the newest first. A missing directory has none.
[[nodiscard]] rocm::Result<std::vector<RunInfo>> ListRuns(const std::filesystem::path& directory);

// A text or number by its key; the fallback when it is missing or of another type.
[[nodiscard]] std::string TextOr(const nlohmann::json& object, std::string_view key,
                                 std::string fallback = {});
[[nodiscard]] std::int64_t IntOr(const nlohmann::json& object, std::string_view key,
                                 std::int64_t fallback);

}  // namespace harness
