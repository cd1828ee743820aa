// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/printable.h"

#include <fmt/format.h>

namespace rocm::gguf {
namespace {

// Length of the well-formed UTF-8 character that `text` starts with; 0 if there is none.
std::size_t CharacterLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t length = 0;
  if (byte(0) >= 0xc2 && byte(0) <= 0xdf) length = 2;
  if (byte(0) >= 0xe0 && byte(0) <= 0xef) length = 3;
  if (byte(0) >= 0xf0 && byte(0) <= 0xf4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF; and the C1 controls and line separators, which
  // terminals and log readers act on.
  if (byte(0) == 0xe0 && byte(1) < 0xa0) return 0;
  if (byte(0) == 0xed && byte(1) > 0x9f) return 0;
  if (byte(0) == 0xf0 && byte(1) < 0x90) return 0;
  if (byte(0) == 0xf4 && byte(1) > 0x8f) return 0;
  if (byte(0) == 0xc2 && byte(1) < 0xa0) return 0;
  if (byte(0) == 0xe2 && byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae) return 0;
  return length;
}

}  // namespace

std::string Printable(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (at >= limit) {
      out += fmt::format("… ({} bytes)", text.size());
      break;
    }
    const auto byte = static_cast<unsigned char>(text[at]);
    std::size_t length = byte >= 0x20 && byte < 0x7f ? 1 : 0;
    if (byte >= 0x80) length = CharacterLength(text.substr(at));
    if (length > 0) {
      out += text.substr(at, length);
      at += length;
    } else {
      out += fmt::format("\\x{:02x}", byte);
      ++at;
    }
  }
  return out;
}

}  // namespace rocm::gguf
