// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "mock_server/json.h"

namespace mock {

// Where a fault does its work.
enum class FaultPlace {
  kStartup,  // before or during the load, or at SIGTERM
  kAnswer,   // instead of the endpoint's own answer
  kWire,     // on the bytes of any answer
  kStream,   // on the events of a streamed completion
  kProcess,  // ends the process, at a moment of a completion or at once
};

// One misbehaviour with its parameters; docs/mock-server.md lists all of them.
class Fault {
 public:
  // {"type": "status", "code": 503, …}; unknown types, unknown members and wrong types are
  // refused, with a message that names them.
  [[nodiscard]] static tl::expected<Fault, std::string> Parse(const Json& json);

  [[nodiscard]] std::string_view type() const { return type_; }
  [[nodiscard]] FaultPlace place() const { return place_; }
  [[nodiscard]] const Json& json() const { return json_; }

  [[nodiscard]] bool Is(std::string_view type) const { return type_ == type; }
  [[nodiscard]] bool Has(const char* key) const { return json_.contains(key); }
  [[nodiscard]] std::int64_t Int(const char* key, std::int64_t otherwise) const;
  [[nodiscard]] double Number(const char* key, double otherwise) const;
  [[nodiscard]] std::string Text(const char* key, std::string_view otherwise) const;
  [[nodiscard]] std::vector<std::int64_t> Ints(const char* key) const;

 private:
  std::string type_;
  FaultPlace place_ = FaultPlace::kAnswer;
  Json json_;
};

using Faults = std::vector<Fault>;

// The first of a type, or null.
[[nodiscard]] const Fault* FindFault(const Faults& faults, std::string_view type);
[[nodiscard]] Faults FaultsAt(const Faults& faults, FaultPlace place);

}  // namespace mock
