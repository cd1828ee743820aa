// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/answer_quality.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace harness {
namespace {

constexpr std::size_t kShortest = 16;
constexpr std::size_t kLongestCycle = 16;
constexpr std::size_t kRepeats = 4;
constexpr std::size_t kReplacedShare = 20;

// Characters, and those among them that are U+FFFD or not UTF-8 (by lead byte and continuation
// count: overlong forms are as good as any other here).
struct Characters {
  std::size_t all = 0;
  std::size_t bad = 0;
};

Characters Look(std::string_view text) {
  Characters seen;
  for (std::size_t i = 0; i < text.size(); ++seen.all) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80            ? 1
                               : (lead >> 5U) == 0x06 ? 2
                               : (lead >> 4U) == 0x0E ? 3
                               : (lead >> 3U) == 0x1E ? 4
                                                      : 0;
    std::size_t have = 1;
    while (have < length && i + have < text.size() &&
           (static_cast<unsigned char>(text[i + have]) & 0xC0U) == 0x80U) {
      ++have;
    }
    const bool whole = length != 0 && have == length;
    if (!whole || text.substr(i, length) == "\xEF\xBF\xBD") ++seen.bad;
    i += whole ? length : 1;
  }
  return seen;
}

// Words as stand-ins for tokens where a server shows no ids.
std::vector<std::int32_t> Words(std::string_view text) {
  std::vector<std::int32_t> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n", at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    const std::size_t hash = std::hash<std::string_view>{}(text.substr(at, end - at));
    words.push_back(static_cast<std::int32_t>(hash & 0x7FFFFFFFU));
    at = end;
  }
  return words;
}

bool HasPeriod(std::span<const std::int32_t> tokens, std::size_t period) {
  for (std::size_t i = period; i < tokens.size(); ++i) {
    if (tokens[i] != tokens[i - period]) return false;
  }
  return true;
}

std::optional<Degeneration> FindRepetition(std::span<const std::int32_t> tokens) {
  if (tokens.size() < kShortest) return std::nullopt;
  const auto tail = tokens.last(tokens.size() / 2);
  if (HasPeriod(tail, 1)) return Degeneration::kRepeatedToken;
  for (std::size_t period = 2; period <= kLongestCycle && period * kRepeats <= tail.size();
       ++period) {
    if (HasPeriod(tail, period)) return Degeneration::kShortCycle;
  }
  return std::nullopt;
}

}  // namespace

std::string_view ToString(Degeneration degeneration) {
  switch (degeneration) {
    case Degeneration::kEmpty: return "empty";
    case Degeneration::kInvalidUtf8: return "invalid_utf8";
    case Degeneration::kRepeatedToken: return "repeated_token";
    case Degeneration::kShortCycle: return "short_cycle";
  }
  return "";
}

std::optional<Degeneration> ParseDegeneration(std::string_view name) {
  for (const Degeneration d : {Degeneration::kEmpty, Degeneration::kInvalidUtf8,
                               Degeneration::kRepeatedToken, Degeneration::kShortCycle}) {
    if (ToString(d) == name) return d;
  }
  return std::nullopt;
}

std::optional<Degeneration> FindDegeneration(std::string_view text,
                                             std::span<const std::int32_t> ids) {
  if (text.empty()) return Degeneration::kEmpty;
  const Characters seen = Look(text);
  if (seen.bad * kReplacedShare > seen.all) return Degeneration::kInvalidUtf8;
  if (!ids.empty()) return FindRepetition(ids);
  return FindRepetition(Words(text));
}

std::optional<std::size_t> FirstDivergence(std::span<const std::int32_t> a,
                                           std::span<const std::int32_t> b) {
  const auto [at, other] = std::ranges::mismatch(a, b);
  if (at == a.end() && other == b.end()) return std::nullopt;
  return static_cast<std::size_t>(at - a.begin());
}

}  // namespace harness
