// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "backend/gguf/printable.h"

namespace rocm::gguf {
namespace {

tl::unexpected<Error> CannotOpen(const std::string& path, int error) {
  const std::string shown = Printable(path);
  if (error != ENOENT && error != ENOTDIR && error != ELOOP) {
    return Fail(ErrorCode::kIo, fmt::format("cannot open {}: {}", shown, std::strerror(error)));
  }
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return Fail(ErrorCode::kModelNotFound, fmt::format("no such file: {}", shown));
  target.resize(static_cast<std::size_t>(length));
  return Fail(ErrorCode::kModelNotFound,
              fmt::format("{} is a link to {}, which does not exist", shown, Printable(target)));
}

const char* KindName(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

Result<FileInput> FileInput::Open(const std::string& path) {
  // A FIFO would block in open() until somebody writes to it, and opening a device can have
  // effects: so look first. O_NONBLOCK covers a file that is exchanged in between.
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return CannotOpen(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kModelInvalid, fmt::format("{} is {}, not a model file", Printable(path),
                                                      KindName(status.st_mode)));
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return CannotOpen(path, errno);
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kModelInvalid,
                fmt::format("{} is no longer a regular file", Printable(path)));
  }
  return FileInput(std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

Result<void> FileInput::Read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(ErrorCode::kIo, fmt::format("cannot read: {}", std::strerror(errno)));
    if (n == 0) return Fail(ErrorCode::kModelInvalid, "the file became shorter while it was read");
    offset += static_cast<std::uint64_t>(n);
    out = out.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace rocm::gguf
