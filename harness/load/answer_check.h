// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <regex>
#include <string>

#include "harness/load/stage_runner.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Compares answers with what a scenario says they must be. Const members are thread-safe.
class AnswerChecker {
 public:
  explicit AnswerChecker(const AnswerCheck& check);

  // What is wrong with the answer, in one line; nullopt when nothing is. Requests that failed have
  // no answer and are not asked about.
  [[nodiscard]] std::optional<std::string> Wrong(const FinishedRequest& request) const;

 private:
  AnswerCheck check_;
  std::regex pattern_;
};

// The text that a server with the chain model answers after `last`: invalid bytes replaced, a
// character that is cut off at the end dropped, as streams do.
[[nodiscard]] std::string ChainText(std::int32_t last, int tokens);

}  // namespace harness
