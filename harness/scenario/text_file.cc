// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/text_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "backend/base/errno_text.h"
#include "backend/base/unique_fd.h"

namespace harness {
namespace {

tl::unexpected<rocm::Error> FailErrno(const std::string& path, int error) {
  return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("{}: {}", path, rocm::ErrnoText(error)));
}

}  // namespace

rocm::Result<std::string> ReadTextFile(const std::string& path, std::size_t max_bytes) {
  const rocm::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return FailErrno(path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return FailErrno(path, errno);
  if (S_ISDIR(info.st_mode)) {
    return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("{}: is a directory", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("{}: is not a regular file", path));
  }
  std::string text;
  char buffer[65'536];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno(path, errno);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > max_bytes) {
      return rocm::Fail(rocm::ErrorCode::kIo,
                        fmt::format("{}: larger than {} bytes", path, max_bytes));
    }
  }
}

}  // namespace harness
