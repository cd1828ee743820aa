// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "backend/error.h"

namespace harness {

// SHA-256 over any number of pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::string_view bytes);
  // 64 lower-case hex digits. Ends this hash: no Update() after it.
  [[nodiscard]] std::string HexDigest();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

[[nodiscard]] std::string Sha256Hex(std::string_view bytes);
// Of a regular file; kIo with the reason otherwise.
[[nodiscard]] rocm::Result<std::string> Sha256File(const std::filesystem::path& path);

}  // namespace harness
