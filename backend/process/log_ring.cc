// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/log_ring.h"

#include <algorithm>

namespace rocm::process {

void LogRing::Add(std::string_view line) {
  const std::lock_guard lock(mutex_);
  ++total_;
  lines_.emplace_back(line);
  bytes_ += line.size();
  while (lines_.size() > max_lines_ || (bytes_ > max_bytes_ && lines_.size() > 1)) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
  }
}

std::vector<std::string> LogRing::Tail(std::size_t lines) const {
  const std::lock_guard lock(mutex_);
  const auto count = static_cast<std::ptrdiff_t>(std::min(lines, lines_.size()));
  return {lines_.end() - count, lines_.end()};
}

std::uint64_t LogRing::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace rocm::process
