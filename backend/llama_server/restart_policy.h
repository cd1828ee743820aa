// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "backend/base/clock.h"
#include "backend/config.h"
#include "backend/error.h"

namespace rocm::llama_server {

struct RestartDecision {
  bool restart = false;
  std::chrono::milliseconds delay{0};  // to wait before it
  std::string reason;                  // one line, for a person
};

// Decides whether a server that died is started again: opt-in, bounded within a sliding window,
// with a delay that doubles while deaths follow one another, and never where the next start would
// meet the same reason (a bad model, missing memory, a timeout, a bad argument). Pure: time comes
// in. Not thread-safe.
class RestartDecider {
 public:
  explicit RestartDecider(const RestartPolicy& policy) : policy_(policy) {}

  // For every death, and for every start that failed. Counts the restart that it grants.
  [[nodiscard]] RestartDecision Decide(const Error& why, TimePoint now);
  // The same as a delay; empty: no restart.
  [[nodiscard]] std::optional<std::chrono::milliseconds> Next(const Error& why, TimePoint now);

 private:
  RestartPolicy policy_;
  std::deque<TimePoint> granted_;  // within the window
};

// Whether starting again could help at all.
[[nodiscard]] bool IsRestartable(ErrorCode code);

}  // namespace rocm::llama_server
