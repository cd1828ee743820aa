// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

namespace harness {

// The processes that this one has started and not reaped yet, zombies among them; the youngest
// first.
[[nodiscard]] std::vector<pid_t> OwnChildren();

}  // namespace harness
