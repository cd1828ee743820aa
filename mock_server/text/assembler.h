// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mock_server/text/vocabulary.h"

namespace mock {

// Turns generated tokens into the text that a client is sent: holds back characters that are not
// complete, and text that may be the start of a stop string. One per generation.
class TextAssembler {
 public:
  explicit TextAssembler(std::vector<std::string> stop_strings);

  struct Step {
    bool sends = false;  // false while a character is incomplete: no event at all
    std::string text;    // may be empty although `sends`
    bool stopped = false;
  };
  [[nodiscard]] Step Add(TokenId id);

  // All text so far, less a stop string that ended it; may end in an incomplete character.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::string& stopping_word() const { return stopping_word_; }
  [[nodiscard]] bool has_new_line() const { return has_new_line_; }

 private:
  std::size_t FindStop(std::string_view text, std::size_t last_size);
  [[nodiscard]] std::size_t FindPartialStop(std::string_view text) const;

  std::vector<std::string> stop_strings_;
  std::string text_;
  std::size_t sent_ = 0;
  std::string stopping_word_;
  bool has_new_line_ = false;
};

}  // namespace mock
