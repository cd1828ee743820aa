// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/unique_fd.h"
#include "backend/error.h"
#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"
#include "harness/record/run_lines.h"

namespace harness {

struct RunWriterConfig {
  std::filesystem::path directory = "results/runs";  // made when missing
  bool chunks = true;                                // false: --no-chunks
  // Refuses to start with less than this on the file system.
  std::int64_t min_free_bytes = 16LL << 20;
};

// The file of one run: DIRECTORY/<utc>-<id>.jsonl, one JSON object a line, appended while running.
// Thread-safe. A line is written whole or, when the disk is full or broken, not at all: the file is
// cut back to its last whole line, the call says why, and lost_lines() counts it; later lines are
// tried again. Everything but requests is followed by fdatasync (when that fails the line is there,
// the call says why, and the end line says partial), so write no summary from a load thread while
// it measures. A killed process loses at most the line being written; a file without an `end` line
// is partial.
//
// Ignore SIGXFSZ in the program, or a file size limit kills it before write(2) can report it.
class RunWriter {
 public:
  // Checks the directory and makes the file, locked (flock) for as long as the writer lives, so
  // that others can tell a running file from a partial one.
  [[nodiscard]] static rocm::Result<std::unique_ptr<RunWriter>> Create(RunWriterConfig config = {});

  // First. The schema version and the run id are added.
  rocm::Result<void> Header(const RunHeader& header);
  rocm::Result<void> Request(const RequestRecord& record);
  rocm::Result<void> Event(const RunEvent& event);
  rocm::Result<void> Summary(const StageSummary& summary, const SummaryContext& context = {});
  rocm::Result<void> Write(const Verdict& verdict);
  // Last. Says `partial` instead of `valid` when something was lost, and adds the reason.
  rocm::Result<void> End(RunEnd end);

  [[nodiscard]] const std::string& run_id() const { return run_id_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::int64_t lost_lines() const;
  // Of any line, or of a sync; nothing where all is in the file.
  [[nodiscard]] std::optional<rocm::Error> first_loss() const;

 private:
  RunWriter(RunWriterConfig config, std::string run_id, std::filesystem::path path,
            rocm::UniqueFd fd);
  rocm::Result<void> Append(std::string line, bool sync);
  rocm::Result<void> WriteLine(const std::string& line);  // with mutex_ held
  rocm::Result<void> Sync();                              // with mutex_ held

  const RunWriterConfig config_;
  const std::string run_id_;
  const std::filesystem::path path_;
  Fingerprint fingerprint_;
  mutable std::mutex mutex_;
  rocm::UniqueFd fd_;
  std::int64_t size_ = 0;  // of the whole lines
  std::int64_t requests_ = 0;
  std::int64_t lost_lines_ = 0;
  std::int64_t sync_failures_ = 0;
  std::optional<rocm::Error> dead_;  // the file can no longer be kept whole
  std::optional<rocm::Error> first_loss_;
};

}  // namespace harness
