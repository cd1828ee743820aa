// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include "backend/gguf/input.h"

namespace rocm::gguf {

// Walks over an input from its start through a window, so that a vocabulary costs few reads. Every
// step is refused that does not lie within what remains.
class Cursor {
 public:
  explicit Cursor(const Input& input) : input_(input), size_(input.size()) {}

  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] std::uint64_t remaining() const { return size_ - offset_; }
  // Set when a read failed although the bytes should be there.
  [[nodiscard]] const std::optional<Error>& read_error() const { return read_error_; }

  template <typename T>
  [[nodiscard]] bool Take(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return TakeBytes(&value, sizeof(value));
  }

  [[nodiscard]] bool TakeBytes(void* out, std::uint64_t count) {
    if (count > remaining()) return false;
    auto* to = static_cast<std::byte*>(out);
    while (count > 0) {
      if (offset_ < window_start_ || offset_ >= window_start_ + window_size_) {
        if (!Load()) return false;
      }
      const std::uint64_t at = offset_ - window_start_;
      const std::uint64_t now = std::min(count, window_size_ - at);
      std::memcpy(to, window_.data() + at, now);
      to += now;
      offset_ += now;
      count -= now;
    }
    return true;
  }

  [[nodiscard]] bool Skip(std::uint64_t count) {
    if (count > remaining()) return false;
    offset_ += count;
    return true;
  }

 private:
  bool Load() {
    window_start_ = offset_;
    window_size_ = std::min<std::uint64_t>(window_.size(), remaining());
    auto read = input_.Read(window_start_, std::span(window_).first(window_size_));
    if (read) return true;
    window_size_ = 0;
    read_error_ = std::move(read.error());
    return false;
  }

  const Input& input_;
  std::uint64_t size_;
  std::uint64_t offset_ = 0;
  std::uint64_t window_start_ = 0;
  std::uint64_t window_size_ = 0;
  std::optional<Error> read_error_;
  std::array<std::byte, 64u << 10> window_;
};

}  // namespace rocm::gguf
