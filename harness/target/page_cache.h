// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "harness/scenario/experiments.h"

namespace harness {

struct PageCacheReport {
  // Of the model's bytes, how many are in the page cache; nullopt where the kernel does not tell
  // this user.
  std::optional<double> resident_share;
  // One line where what was asked for could not be brought about, or not be verified; else empty.
  std::string problem;
};

// Brings a model's file, with all its shards, into the state that a load is to begin from. kCold
// asks the kernel to drop it (posix_fadvise), which it does not where another process has the file
// mapped, nor on tmpfs. kWarm reads it once. kAsItIs only looks. Takes as long as reading the file.
[[nodiscard]] PageCacheReport PreparePageCache(const std::string& model, PageCache wanted,
                                               const std::stop_token& stop);

}  // namespace harness
