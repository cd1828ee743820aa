// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/testing/normalise.h"

#include <cctype>
#include <string_view>

namespace mock::testing {
namespace {

bool IsNumberCharacter(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+' || c == '.' ||
         c == 'e' || c == 'E';
}

bool IsWordCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Every run of `kind` characters after the mark becomes "0".
template <typename Kind>
void Blank(std::string& text, std::string_view mark, Kind kind) {
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const std::size_t from = at + mark.size();
    std::size_t end = from;
    while (end < text.size() && kind(text[end])) ++end;
    if (end > from) text.replace(from, end - from, "0");
  }
}

}  // namespace

std::string Normalise(std::string text) {
  for (const std::string_view mark :
       {"\"created\":", "_ms\":", "_per_second\":", "\"logprob\":", "Process-Start-Time-Unix: ",
        "seconds_total ", "tokens_seconds ", "n_decode_total "}) {
    Blank(text, mark, IsNumberCharacter);
  }
  // Of an answer with times in it; errors keep theirs.
  if (text.find("\"timings\":") != std::string::npos ||
      text.find("\"created\":") != std::string::npos ||
      text.find("__media_") != std::string::npos || text.find("llamacpp:") != std::string::npos) {
    Blank(text, "Content-Length: ", IsNumberCharacter);
  }
  Blank(text, "chatcmpl-", IsWordCharacter);
  Blank(text, "<__media_", IsWordCharacter);
  return text;
}

}  // namespace mock::testing
