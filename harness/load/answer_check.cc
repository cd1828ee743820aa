// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/answer_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/gguf/chain_model.h"

namespace harness {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Printable and short, for one line.
std::string Excerpt(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 48)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  return text.size() > 48 ? shown + "…" : shown;
}

// The length of the UTF-8 character at the beginning of `bytes`: 0 when invalid, -1 when cut off.
int CharacterLength(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const int length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead >= 0xF5) return 0;
  for (int i = 1; i < length; ++i) {
    if (static_cast<std::size_t>(i) >= bytes.size()) return -1;
    if ((at(static_cast<std::size_t>(i)) & 0xC0U) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string ChainText(std::int32_t last, int tokens) {
  std::string bytes;
  for (const std::int32_t id : rocm::gguf::chain::Continuation(last, tokens)) {
    bytes += rocm::gguf::chain::Piece(id);
  }
  std::string text;
  for (std::string_view rest = bytes; !rest.empty();) {
    const int length = CharacterLength(rest);
    if (length < 0) break;
    if (length == 0) text += kReplacement;
    text += length == 0 ? std::string_view() : rest.substr(0, static_cast<std::size_t>(length));
    rest.remove_prefix(static_cast<std::size_t>(std::max(length, 1)));
  }
  return text;
}

AnswerChecker::AnswerChecker(const AnswerCheck& check) : check_(check) {
  if (check.rule == AnswerRule::kMatches) pattern_ = std::regex(check.text);
}

std::optional<std::string> AnswerChecker::Wrong(const FinishedRequest& request) const {
  const std::string& text = request.record.text;
  const auto report = [&](std::string_view wanted, std::string_view expected) {
    return fmt::format("request {}: answer \"{}\" {} \"{}\"", request.record.index, Excerpt(text),
                       wanted, Excerpt(expected));
  };
  switch (check_.rule) {
    case AnswerRule::kEquals:
      if (text != check_.text) return report("is not", check_.text);
      return std::nullopt;
    case AnswerRule::kContains:
      if (text.find(check_.text) == std::string::npos) return report("does not hold", check_.text);
      return std::nullopt;
    case AnswerRule::kMatches:
      if (!std::regex_search(text, pattern_)) return report("does not match", check_.text);
      return std::nullopt;
    case AnswerRule::kChain: break;
  }
  // A prompt that ends in a space, or is empty, has no defined answer.
  if (!request.chain_last || !rocm::gguf::chain::Successor(*request.chain_last)) {
    return std::nullopt;
  }
  // What follows an end of text that is ignored is not defined either.
  const auto chain = rocm::gguf::chain::Continuation(*request.chain_last, request.output_tokens);
  if (request.exact_output && static_cast<int>(chain.size()) < request.output_tokens) {
    return std::nullopt;
  }
  const std::string expected = ChainText(*request.chain_last, request.output_tokens);
  if (text == expected) return std::nullopt;
  const auto differs = std::mismatch(text.begin(), text.end(), expected.begin(), expected.end());
  const auto at = static_cast<std::size_t>(differs.first - text.begin());
  return fmt::format("request {}: at byte {} the answer has \"{}\" where the chain has \"{}\"",
                     request.record.index, at, Excerpt(std::string_view(text).substr(at)),
                     Excerpt(std::string_view(expected).substr(at)));
}

}  // namespace harness
