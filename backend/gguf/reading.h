// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "backend/gguf/cursor.h"
#include "backend/gguf/metadata.h"

namespace rocm::gguf {

// How much of a name out of the file a message shows.
inline constexpr std::size_t kShownName = 80;

// One pass over one file: where it is, what it may still keep, and why it failed. The calls that
// return bool return false when the pass has failed, with `error` set.
struct Reading {
  explicit Reading(const Input& input) : cursor(input), size(input.size()) {}

  bool Refuse(std::string message) {
    error.code = ErrorCode::kModelInvalid;
    error.message = std::move(message);
    return false;
  }

  // A step that did not succeed: the file's end, or the disk.
  bool Short(std::string_view inside) {
    if (cursor.read_error()) {
      error = *cursor.read_error();
      error.message += fmt::format(" (inside {})", inside);
      return false;
    }
    return Refuse(fmt::format("cut short: the file ends after {} bytes, inside {}", size, inside));
  }

  // Room for what is kept of the file, names and values together.
  bool Keep(std::uint64_t bytes) {
    kept += bytes;
    if (kept <= kMaxKeptBytes) return true;
    return Refuse(fmt::format("its metadata needs more than {} MiB", kMaxKeptBytes >> 20));
  }

  Cursor cursor;
  std::uint64_t size;
  std::uint64_t kept = 0;
  Error error;
};

}  // namespace rocm::gguf
