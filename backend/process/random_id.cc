// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/random_id.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace rocm::process {

std::string RandomId(std::size_t bytes) {
  std::string raw(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const ssize_t n = ::getrandom(raw.data() + have, bytes - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) std::abort();  // a guessable key would be worse than none
    have += static_cast<std::size_t>(n);
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes);
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace rocm::process
