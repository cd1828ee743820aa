// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace rocm::process {

// The last lines of a log, bounded in lines and in bytes. Thread-safe.
class LogRing {
 public:
  LogRing(std::size_t max_lines, std::size_t max_bytes)
      : max_lines_(max_lines), max_bytes_(max_bytes) {}

  void Add(std::string_view line);
  // At most `lines`, oldest first.
  [[nodiscard]] std::vector<std::string> Tail(std::size_t lines) const;
  // Lines ever added.
  [[nodiscard]] std::uint64_t total() const;

 private:
  const std::size_t max_lines_;
  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace rocm::process
