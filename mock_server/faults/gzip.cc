// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/gzip.h"

#include <algorithm>
#include <cstdint>

namespace mock {
namespace {

constexpr std::size_t kBlock = 65'535;

std::uint32_t Crc32(std::string_view text) {
  std::uint32_t crc = ~0U;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

void AppendLittle(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

int Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

std::string Gzip(std::string_view text) {
  std::string out("\x1F\x8B\x08\x00\x00\x00\x00\x00\x00\xFF", 10);
  std::string_view rest = text;
  do {
    const std::string_view block = rest.substr(0, kBlock);
    rest.remove_prefix(block.size());
    out += rest.empty() ? '\x01' : '\x00';
    AppendLittle(out, static_cast<std::uint32_t>(block.size()), 2);
    AppendLittle(out, ~static_cast<std::uint32_t>(block.size()), 2);
    out += block;
  } while (!rest.empty());
  AppendLittle(out, Crc32(text), 4);
  AppendLittle(out, static_cast<std::uint32_t>(text.size()), 4);
  return out;
}

std::string FromBase64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    const int digit = Digit(c);
    if (digit < 0) return {};
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xFFU);
    }
  }
  return out;
}

}  // namespace mock
