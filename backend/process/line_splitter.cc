// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/line_splitter.h"

#include <algorithm>
#include <cstdint>

namespace rocm::process {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the terminal escape at the beginning of `s`, which starts with ESC.
std::size_t EscapeLength(std::string_view s) {
  if (s.size() < 2) return s.size();
  if (s[1] == '[') {  // CSI: parameters, then one final byte in @..~
    std::size_t i = 2;
    while (i < s.size() && (s[i] < '@' || s[i] > '~')) ++i;
    return std::min(i + 1, s.size());
  }
  if (s[1] == ']') {  // OSC: up to BEL or ESC backslash
    for (std::size_t i = 2; i < s.size(); ++i) {
      if (s[i] == '\a') return i + 1;
      if (s[i] == '\x1b') return std::min(i + 2, s.size());
    }
    return s.size();
  }
  return 2;
}

// Bytes of the valid UTF-8 character at the beginning of `s`, 0 if there is none.
std::size_t CharacterLength(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(s[i]); };
  const auto follows = [&](std::size_t i) { return i < s.size() && (byte(i) & 0xC0) == 0x80; };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (first == 0xED && byte(1) > 0x9F) return 0;  // surrogate
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

std::string CleanLine(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) {
    const auto first = static_cast<std::uint8_t>(raw.front());
    if (first == 0x1B) {
      raw.remove_prefix(EscapeLength(raw));
      continue;
    }
    if (first < 0x20 || first == 0x7F) {
      out += ' ';
      raw.remove_prefix(1);
      continue;
    }
    const std::size_t length = CharacterLength(raw);
    out += length == 0 ? kReplacement : raw.substr(0, length);
    raw.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

void LineSplitter::Append(std::string_view bytes) {
  const std::size_t room = max_line_bytes_ - line_.size();
  line_ += bytes.substr(0, room);
  if (bytes.size() > room) cut_ += bytes.size() - room;
}

void LineSplitter::Deliver(const Sink& sink) {
  std::string line = CleanLine(line_);
  if (cut_ > 0) line += " [" + std::to_string(cut_) + " more bytes]";
  line_.clear();
  cut_ = 0;
  sink(line);
}

void LineSplitter::Feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    Append(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    Deliver(sink);
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::Flush(const Sink& sink) {
  if (!line_.empty() || cut_ > 0) Deliver(sink);
}

}  // namespace rocm::process
