// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "backend/base/unique_fd.h"
#include "backend/error.h"

namespace rocm::gguf {

// Bytes at offsets. Read() fills all of `out`, which lies within size(), or says why not.
class Input {
 public:
  virtual ~Input() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual Result<void> Read(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

// A regular file, read and not mapped: a file that is cut short while it is read must not be a
// SIGBUS.
class FileInput : public Input {
 public:
  [[nodiscard]] static Result<FileInput> Open(const std::string& path);
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Result<void> Read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  FileInput(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
  UniqueFd fd_;
  std::uint64_t size_;
};

class MemoryInput : public Input {
 public:
  explicit MemoryInput(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] Result<void> Read(std::uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace rocm::gguf
