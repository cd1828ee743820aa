// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/json.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace rocm::wire {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
// What a thread keeps between documents; a larger one gives its memory back.
constexpr std::size_t kKeptBytes = 256U << 10;

class ThreadParser {
 public:
  simdjson::error_code Parse(std::string_view text, simdjson::dom::element& root) {
    if (text.empty()) return simdjson::EMPTY;
    if (text.size() > kKeptBytes) {
      oversized_ = true;
    } else if (oversized_) {
      *this = ThreadParser();
    }
    if (parser_.max_depth() != kMaxJsonDepth) {
      const auto error = parser_.allocate(simdjson::dom::MINIMAL_DOCUMENT_CAPACITY, kMaxJsonDepth);
      if (error != simdjson::SUCCESS) return error;
    }
    // The copy costs some nanoseconds and frees callers from the parser's padding rule.
    const std::size_t needed = text.size() + simdjson::SIMDJSON_PADDING;
    if (padded_.size() < needed) padded_.resize(needed + needed / 2);
    std::memcpy(padded_.data(), text.data(), text.size());
    std::memset(padded_.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
    return parser_.parse(padded_.data(), text.size(), false).get(root);
  }

 private:
  simdjson::dom::parser parser_;
  std::string padded_;
  bool oversized_ = false;
};

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Length of the valid sequence at the front, or 0; `bad` is then the length of the invalid part.
std::size_t SequenceLength(std::string_view text, std::size_t& bad) {
  const auto lead = static_cast<unsigned char>(text[0]);
  bad = 1;
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  if (text.size() < 2) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  if (second < low || second > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    bad = i;
    if (i >= text.size() || !IsContinuation(text[i])) return 0;
  }
  return length;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The code unit of "\uXXXX" at `at`, or -1.
int EscapedUnit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Lone halves of \u pairs become \ufffd.
std::string RepairSurrogates(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    if (out[i] != '\\') continue;
    const int unit = EscapedUnit(out, i);
    if (unit >= 0xD800 && unit < 0xDC00) {
      const int next = EscapedUnit(out, i + 6);
      if (next >= 0xDC00 && next < 0xE000) {
        i += 11;
        continue;
      }
    }
    if (unit >= 0xD800 && unit < 0xE000) out.replace(i + 2, 4, "fffd");
    ++i;
  }
  return out;
}

}  // namespace

std::string RepairUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t bad = 0;
    const std::size_t length = SequenceLength(text, bad);
    if (length == 0) {
      out.append(kReplacement);
      text.remove_prefix(bad);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

simdjson::error_code ParseJson(std::string_view text, simdjson::dom::element& root) {
  thread_local ThreadParser parser;
  const auto error = parser.Parse(text, root);
  if (error != simdjson::UTF8_ERROR && error != simdjson::STRING_ERROR) [[likely]] {
    return error;
  }
  return parser.Parse(RepairSurrogates(RepairUtf8(text)), root);
}

bool Read(simdjson::dom::element value, std::string_view& out) {
  return value.get_string().get(out) == simdjson::SUCCESS;
}

bool Read(simdjson::dom::element value, std::int64_t& out) {
  if (value.get_int64().get(out) == simdjson::SUCCESS) return true;
  double number = 0;
  if (value.get_double().get(number) != simdjson::SUCCESS) return false;
  if (!(std::abs(number) < 9e15) || number != std::floor(number)) return false;
  out = static_cast<std::int64_t>(number);
  return true;
}

bool Read(simdjson::dom::element value, int& out) {
  std::int64_t number = 0;
  if (!Read(value, number)) return false;
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    return false;
  }
  out = static_cast<int>(number);
  return true;
}

bool Read(simdjson::dom::element value, double& out) {
  return value.get_double().get(out) == simdjson::SUCCESS;
}

bool Read(simdjson::dom::element value, bool& out) {
  return value.get_bool().get(out) == simdjson::SUCCESS;
}

bool Read(simdjson::dom::element value, std::string& out) {
  std::string_view text;
  if (!Read(value, text)) return false;
  out.assign(text);
  return true;
}

}  // namespace rocm::wire
