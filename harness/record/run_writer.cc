// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "harness/base/unique_id.h"
#include "harness/base/wall_clock.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

rocm::Error IoError(std::string_view what, const fs::path& path, int error) {
  rocm::Error result;
  result.code = rocm::ErrorCode::kIo;
  result.message = fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(error));
  result.retryable = error == ENOSPC || error == EDQUOT;
  return result;
}

rocm::Result<void> CheckDirectory(const fs::path& directory, std::int64_t min_free_bytes) {
  std::error_code ec;
  fs::create_directories(directory, ec);
  if (ec) return rocm::Fail(IoError("make the directory", directory, ec.value()));
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) != 0) {
    return rocm::Fail(IoError("look at", directory, errno));
  }
  const auto free_bytes =
      static_cast<std::int64_t>(space.f_bavail) * static_cast<std::int64_t>(space.f_frsize);
  if (free_bytes < min_free_bytes) {
    return rocm::Fail(rocm::ErrorCode::kIo,
                      fmt::format("only {} KiB free for results in {}: free some space, or choose "
                                  "another directory",
                                  free_bytes / 1024, directory.string()));
  }
  return {};
}

// The file's name lives in the directory: without this a power cut can lose the whole file.
rocm::Result<void> SyncDirectory(const fs::path& directory) {
  const rocm::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || (::fsync(fd.get()) != 0 && errno != EINVAL)) {
    return rocm::Fail(IoError("sync the directory", directory, errno));
  }
  return {};
}

// Writes all of it; 0 or an errno.
int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

rocm::Result<std::unique_ptr<RunWriter>> RunWriter::Create(RunWriterConfig config) {
  if (auto checked = CheckDirectory(config.directory, config.min_free_bytes); !checked) {
    return rocm::Fail(std::move(checked.error()));
  }
  std::string run_id = fmt::format("{}-{}", FormatUtcCompact(WallNow()), UniqueId().substr(0, 8));
  fs::path path = config.directory / (run_id + ".jsonl");
  rocm::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return rocm::Fail(IoError("make", path, errno));
  // Some network file systems know no locks; then a running file merely looks partial.
  static_cast<void>(::flock(fd.get(), LOCK_EX | LOCK_NB));
  if (auto synced = SyncDirectory(config.directory); !synced) {
    ::unlink(path.c_str());
    return rocm::Fail(std::move(synced.error()));
  }
  return std::unique_ptr<RunWriter>(
      new RunWriter(std::move(config), std::move(run_id), std::move(path), std::move(fd)));
}

RunWriter::RunWriter(RunWriterConfig config, std::string run_id, fs::path path, rocm::UniqueFd fd)
    : config_(std::move(config)),
      run_id_(std::move(run_id)),
      path_(std::move(path)),
      fd_(std::move(fd)) {}

rocm::Result<void> RunWriter::Header(const RunHeader& header) {
  fingerprint_ = header.fingerprint;
  return Append(HeaderLine(header, run_id_), true);
}

rocm::Result<void> RunWriter::Request(const RequestRecord& record) {
  std::string line;
  line.reserve(1024 + record.chunks.size() * 20 + record.ids.size() * 6);
  AppendRequestLine(record, config_.chunks, line);
  return Append(std::move(line), false);
}

rocm::Result<void> RunWriter::Event(const RunEvent& event) {
  return Append(EventLine(event), true);
}

rocm::Result<void> RunWriter::Summary(const StageSummary& summary, const SummaryContext& context) {
  const std::string series =
      SeriesKey(fingerprint_, summary.scenario, summary.variant, summary.stage, context.settings);
  return Append(SummaryLine(summary, context, series), true);
}

rocm::Result<void> RunWriter::Write(const Verdict& verdict) {
  return Append(VerdictLine(verdict), true);
}

rocm::Result<void> RunWriter::End(RunEnd end) {
  std::string line;
  {
    const std::lock_guard lock(mutex_);
    if (first_loss_) {
      if (end.status == RunStatus::kValid) end.status = RunStatus::kPartial;
      end.reasons.push_back(fmt::format("{} result lines lost, {} syncs failed: {}", lost_lines_,
                                        sync_failures_, first_loss_->message));
    }
    line = EndLine(end, requests_, lost_lines_);
  }
  return Append(std::move(line), true);
}

std::int64_t RunWriter::lost_lines() const {
  const std::lock_guard lock(mutex_);
  return lost_lines_;
}

std::optional<rocm::Error> RunWriter::first_loss() const {
  const std::lock_guard lock(mutex_);
  return first_loss_;
}

rocm::Result<void> RunWriter::Append(std::string line, bool sync) {
  const bool request = line.starts_with(R"({"type":"request")");
  line += '\n';
  const std::lock_guard lock(mutex_);
  if (auto written = WriteLine(line); !written) {
    ++lost_lines_;
    if (!first_loss_) first_loss_ = written.error();
    return written;
  }
  if (request) ++requests_;
  return sync ? Sync() : rocm::Result<void>{};
}

rocm::Result<void> RunWriter::WriteLine(const std::string& line) {
  if (dead_) return rocm::Fail(*dead_);
  if (const int error = WriteAll(fd_.get(), line); error != 0) {
    rocm::Error failure = IoError("write to", path_, error);
    // Part of the line may be there: a torn line in the middle of a file cannot be told from
    // damage, so the file ends here if it cannot be cut.
    if (::ftruncate(fd_.get(), size_) != 0) dead_ = failure;
    return rocm::Fail(std::move(failure));
  }
  size_ += static_cast<std::int64_t>(line.size());
  return {};
}

rocm::Result<void> RunWriter::Sync() {
  if (::fdatasync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) {
    // The kernel may have dropped any page since the last sync, and says so only once: what is in
    // the file may be complete, but nobody can vouch for it.
    ++sync_failures_;
    rocm::Error failure = IoError("sync", path_, errno);
    if (!first_loss_) first_loss_ = failure;
    return rocm::Fail(std::move(failure));
  }
  return {};
}

}  // namespace harness
