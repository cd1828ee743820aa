// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/run_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "backend/base/errno_text.h"
#include "backend/base/unique_fd.h"
#include "backend/process/proc.h"
#include "backend/process/random_id.h"
#include "backend/process/run_record.h"

namespace rocm::process {
namespace {

// Somebody else's folder, or a link to one, would let them swap our sockets for theirs.
Result<void> MakePrivate(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(ErrorCode::kIo, "cannot make the runtime folder " + path + ": " + ErrnoText(errno));
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return Fail(ErrorCode::kIo, "cannot look at " + path + ": " + ErrnoText(errno));
  }
  if (!S_ISDIR(info.st_mode)) {
    return Fail(ErrorCode::kIo, "the runtime folder " + path + " is not a folder");
  }
  if (info.st_uid != ::geteuid()) {
    return Fail(ErrorCode::kIo, "the runtime folder " + path + " belongs to another user");
  }
  if ((info.st_mode & 077) != 0) {
    return Fail(ErrorCode::kIo,
                "the runtime folder " + path + " is open to others; it must be 0700");
  }
  return {};
}

}  // namespace

Result<std::string> RuntimeDirectory(const std::string& configured) {
  if (!configured.empty()) {
    if (auto made = MakePrivate(configured); !made) return Fail(made.error());
    return configured;
  }
  if (const char* xdg = std::getenv("XDG_RUNTIME_DIR"); xdg != nullptr && xdg[0] == '/') {
    std::string path = std::string(xdg) + "/rocm-backend";
    if (MakePrivate(path)) return path;
  }
  std::string path = "/tmp/rocm-backend-" + std::to_string(::geteuid());
  if (auto made = MakePrivate(path); !made) return Fail(made.error());
  return path;
}

Result<std::unique_ptr<RunDirectory>> RunDirectory::Create(const std::string& runtime) {
  const auto self = ReadStat(::getpid());
  if (!self) return Fail(ErrorCode::kIo, "/proc is not readable");
  const RunName name{.pid_namespace = PidNamespace(),
                     .pid = self->pid,
                     .start_ticks = self->start_ticks,
                     .random = RandomId(4)};
  std::string path = runtime + "/" + name.ToString();
  if (::mkdir(path.c_str(), 0700) != 0) {
    return Fail(ErrorCode::kIo, "cannot make " + path + ": " + ErrnoText(errno));
  }
  return std::unique_ptr<RunDirectory>(new RunDirectory(std::move(path)));
}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string RunDirectory::marker() const {
  return std::string(kRunMarker) + "=" + path_.substr(path_.rfind('/') + 1);
}

Result<void> RunDirectory::Record(pid_t pid) const {
  const auto stat = ReadStat(pid);
  if (!stat) return Fail(ErrorCode::kIo, "process " + std::to_string(pid) + " is gone");
  const RunRecord record{
      .pid = pid, .start_ticks = stat->start_ticks, .exe = ReadExe(pid), .boot_id = BootId()};
  const std::string text = record.ToString();
  const std::string path = path_ + "/" + kRunRecordFile;
  const std::string fresh = path + ".new";
  const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      std::rename(fresh.c_str(), path.c_str()) != 0) {
    return Fail(ErrorCode::kIo, "cannot write " + path + ": " + ErrnoText(errno));
  }
  return {};
}

}  // namespace rocm::process
