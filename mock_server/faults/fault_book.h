// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mock_server/engine/random.h"
#include "mock_server/faults/fault.h"
#include "mock_server/http/message.h"

namespace mock {

// Which requests a fault strikes. All conditions that are given must hold.
struct FaultRule {
  Fault fault;
  std::string endpoint;                // a path; "*": any; "": the completion endpoints
  std::vector<std::int64_t> requests;  // by number, from 0, among those of the endpoint
  std::int64_t every = 0;
  std::int64_t from = 0;
  double probability = 1.0;
  std::int64_t times = -1;  // at most; -1: no limit

  std::int64_t seen = 0;
  std::int64_t struck = 0;
  Random random{0};
};

// The faults that are planned, and the dice that choose among requests.
class FaultBook {
 public:
  explicit FaultBook(std::uint64_t seed) : seed_(seed) {}

  // {"seed": N, "startup": [fault…], "rules": [{"when": {…}, "times": N, "fault": {…}}…]}. Replaces
  // what is planned, or adds to it with "append": true. Returns what is wrong, changing nothing.
  [[nodiscard]] std::optional<std::string> Load(const Json& script);
  [[nodiscard]] std::optional<std::string> LoadFile(const std::string& path);
  void Clear();

  // The faults that strike this request; counts it.
  [[nodiscard]] Faults Strike(const HttpRequest& request);
  [[nodiscard]] const Faults& startup() const { return startup_; }
  [[nodiscard]] Json Show() const;

 private:
  std::uint64_t seed_;
  Faults startup_;
  std::vector<FaultRule> rules_;
};

[[nodiscard]] bool IsCompletionPath(std::string_view path);

}  // namespace mock
