// SPDX-License-Identifier: EUPL-1.2
#include "harness/base/unique_id.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

namespace harness {

std::string UniqueId() {
  std::uint64_t value = 0;
  // Up to 256 bytes are never interrupted once the pool is initialised.
  if (::getrandom(&value, sizeof value, 0) != sizeof value) std::abort();
  return fmt::format("{:016x}", value);
}

}  // namespace harness
