// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/text/assembler.h"

#include <algorithm>
#include <utility>

namespace mock {
namespace {

// Looks at the lead byte of the last character only, so that bytes which can never be valid are
// passed on (and become U+FFFD) instead of being held for ever.
bool EndsInsideCharacter(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(4, text.size()); ++back) {
    const auto c = static_cast<unsigned char>(text[text.size() - back]);
    if ((c & 0xE0) == 0xC0) return back < 2;
    if ((c & 0xF0) == 0xE0) return back < 3;
    if ((c & 0xF8) == 0xF0) return back < 4;
  }
  return false;
}

}  // namespace

TextAssembler::TextAssembler(std::vector<std::string> stop_strings)
    : stop_strings_(std::move(stop_strings)) {}

std::size_t TextAssembler::FindStop(std::string_view text, std::size_t last_size) {
  std::size_t best = std::string_view::npos;
  for (const std::string& word : stop_strings_) {
    const std::size_t window = word.size() + last_size;
    const std::size_t from = text.size() > window ? text.size() - window : 0;
    const std::size_t at = text.find(word, from);
    if (at < best) {
      best = at;
      stopping_word_ = word;
    }
  }
  return best;
}

std::size_t TextAssembler::FindPartialStop(std::string_view text) const {
  std::size_t best = std::string_view::npos;
  for (const std::string& word : stop_strings_) {
    for (std::size_t size = std::min(word.size(), text.size()); size > 0; --size) {
      if (text.ends_with(std::string_view(word).substr(0, size))) {
        best = std::min(best, text.size() - size);
        break;
      }
    }
  }
  return best;
}

TextAssembler::Step TextAssembler::Add(TokenId id) {
  const std::string piece = Piece(id, false);
  text_ += piece;
  Step step;
  if (EndsInsideCharacter(text_)) return step;
  step.sends = true;
  const std::size_t from = std::min(sent_, text_.size());
  const std::string_view unsent = std::string_view(text_).substr(from);
  bool hold = false;
  const std::size_t stop = FindStop(unsent, piece.size());
  if (stop != std::string_view::npos) {
    step.stopped = true;
    text_.resize(from + stop);
  } else if (!IsEndOfGeneration(id)) {
    hold = FindPartialStop(unsent) != std::string_view::npos;
  }
  if (!hold && from <= text_.size()) {
    step.text = text_.substr(from);
    sent_ = from + step.text.size();
  }
  if (step.text.find('\n') != std::string::npos) has_new_line_ = true;
  return step;
}

}  // namespace mock
