// SPDX-License-Identifier: EUPL-1.2
// Any bytes, whole and cut at places that the bytes themselves decide: the same events, in bounds.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/testing/fuzzing.h"
#include "backend/wire/sse_decoder.h"

namespace {

using rocm::fuzzing::Cuts;
using rocm::fuzzing::Require;
using rocm::wire::SseDecoder;
using rocm::wire::SseEvent;

constexpr std::size_t kLimit = 300;

struct Outcome {
  std::vector<std::string> seen;
  bool limited = false;
};

Outcome Decode(std::string_view bytes, std::optional<Cuts> cuts) {
  SseDecoder decoder({.max_event_bytes = kLimit, .report_error_lines = true});
  Outcome out;
  while (!bytes.empty()) {
    const std::size_t piece = cuts ? cuts->Next(22) : bytes.size();
    // A copy that ends where the piece ends: a view kept too long is seen by the sanitizer.
    const std::string part(bytes.substr(0, piece));
    bytes.remove_prefix(part.size());
    const auto status = decoder.Feed(part, [&](const SseEvent& event) {
      Require(event.data.size() <= kLimit && event.id.size() <= kLimit);
      out.seen.push_back(std::string(event.type) + '\x1f' + std::string(event.id) + '\x1f' +
                         std::string(event.error) + '\x1f' + std::string(event.data));
      return true;
    });
    if (status == SseDecoder::Status::kLimitExceeded) {
      out.limited = true;
      return out;
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Decode(bytes, std::nullopt);
  const Outcome cut = Decode(bytes, Cuts(bytes));
  Require(whole.limited == cut.limited);
  Require(whole.seen == cut.seen);
  return 0;
}
