// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "backend/base/unique_fd.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

rocm::Error IoError(std::string_view what, const fs::path& path) {
  rocm::Error error;
  error.code = rocm::ErrorCode::kIo;
  error.message = fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno));
  return error;
}

rocm::Result<void> WriteAll(const fs::path& path, std::string_view text) {
  const rocm::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return rocm::Fail(IoError("make", path));
  while (!text.empty()) {
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return rocm::Fail(IoError("write", path));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return rocm::Fail(IoError("sync", path));
  return {};
}

}  // namespace

rocm::Result<void> WriteFileAtomically(const fs::path& path, std::string_view text) {
  std::error_code ec;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), ec);
  const fs::path temporary = fmt::format("{}.{}.tmp", path.string(), ::getpid());
  auto written = WriteAll(temporary, text);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = rocm::Fail(IoError("replace", path));
  }
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace harness
