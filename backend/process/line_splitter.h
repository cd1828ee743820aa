// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace rocm::process {

// Fit to show to a person, to write as JSON and to search: terminal escapes gone, control
// characters as spaces, invalid UTF-8 as U+FFFD, no white space at the end.
[[nodiscard]] std::string CleanLine(std::string_view raw);

// Turns a byte stream into clean lines. A line of more than `max_line_bytes` is cut there and says
// how much is missing; its rest costs no memory. Not thread-safe.
class LineSplitter {
 public:
  using Sink = std::function<void(std::string_view line)>;

  explicit LineSplitter(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  void Feed(std::string_view bytes, const Sink& sink);
  // Delivers a last line that has no newline.
  void Flush(const Sink& sink);
  // The raw beginning of the line that is not complete yet.
  [[nodiscard]] std::string_view pending() const { return line_; }

 private:
  void Append(std::string_view bytes);
  void Deliver(const Sink& sink);

  std::size_t max_line_bytes_;
  std::string line_;
  std::size_t cut_ = 0;  // bytes left out of line_
};

}  // namespace rocm::process
