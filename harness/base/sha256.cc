// SPDX-License-Identifier: EUPL-1.2
#include "harness/base/sha256.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "backend/base/unique_fd.h"

namespace harness {

struct Sha256::Context {
  Context() : evp(EVP_MD_CTX_new()) {}
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  EVP_MD_CTX* evp;
};

namespace {
// libcrypto fails here only when memory ran out or it was built without SHA-256.
void Check(bool condition) {
  if (!condition) std::abort();
}
}  // namespace

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  Check(context_->evp != nullptr && EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(std::string_view bytes) {
  Check(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::HexDigest() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  Check(EVP_DigestFinal_ex(context_->evp, digest.data(), &length) == 1);
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest.at(i));
  return hex;
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.HexDigest();
}

rocm::Result<std::string> Sha256File(const std::filesystem::path& path) {
  const auto fail = [&](std::string_view what) {
    return rocm::Fail(rocm::ErrorCode::kIo,
                      fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
  };
  const rocm::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail("open");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail("stat");
  if (!S_ISREG(status.st_mode)) {
    return rocm::Fail(rocm::ErrorCode::kIo, path.string() + " is not a regular file");
  }
  Sha256 hash;
  std::vector<char> buffer(std::size_t{1} << 20U);
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("read");
    if (got == 0) return hash.HexDigest();
    hash.Update({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace harness
