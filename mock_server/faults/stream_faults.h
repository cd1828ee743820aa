// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <string_view>

#include "mock_server/engine/generation.h"
#include "mock_server/faults/fault.h"

namespace mock {

// The faults of one streamed completion: which are due at a token, and what they make of texts.
class StreamFaults {
 public:
  explicit StreamFaults(Faults faults) : faults_(std::move(faults)) {}

  [[nodiscard]] bool empty() const { return faults_.empty(); }
  [[nodiscard]] const Fault* Find(std::string_view type) const { return FindFault(faults_, type); }

  // Those that strike before the event of the tokens `after` + 1 … `last` leaves, in order.
  [[nodiscard]] Faults Due(int after, int last) const;

  // Events as they go over the wire: other line ends, comments, a byte order mark, more fields.
  [[nodiscard]] std::string Frame(std::string_view events);

  // The finish event with its usage and timings left out or wrong.
  [[nodiscard]] std::string EditUsage(const std::string& events) const;

  // The event with another token in it, if a fault wants that.
  [[nodiscard]] TokenEvent Corrupt(TokenEvent event) const;

 private:
  Faults faults_;
  bool framed_ = false;  // something has gone out before
};

// Bytes that some faults put into the stream before the event of their token; empty for others.
[[nodiscard]] std::string InjectedEvent(const Fault& fault);

}  // namespace mock
