// SPDX-License-Identifier: EUPL-1.2
// Any bytes, whole and cut at places that the bytes themselves decide: the same events, in bounds.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "backend/wire/sse_decoder.h"

namespace {

using rocm::wire::SseDecoder;
using rocm::wire::SseEvent;

constexpr std::size_t kLimit = 300;

struct Outcome {
  std::vector<std::string> seen;
  bool limited = false;
};

void Check(bool holds) {
  if (!holds) std::abort();
}

Outcome Decode(std::string_view bytes, std::uint32_t seed) {
  SseDecoder decoder({.max_event_bytes = kLimit, .report_error_lines = true});
  Outcome out;
  while (!bytes.empty()) {
    std::size_t piece = bytes.size();
    if (seed != 0) {
      seed = seed * 1664525U + 1013904223U;
      piece = (seed >> 16U) % 23U;
    }
    // A copy that ends where the piece ends: a view kept too long is seen by the sanitizer.
    const std::string part(bytes.substr(0, piece));
    bytes.remove_prefix(part.size());
    const auto status = decoder.Feed(part, [&](const SseEvent& event) {
      Check(event.data.size() <= kLimit && event.id.size() <= kLimit);
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
  std::uint32_t seed = 2166136261U;
  for (const char c : bytes) seed = (seed ^ static_cast<unsigned char>(c)) * 16777619U;
  const Outcome whole = Decode(bytes, 0);
  const Outcome cut = Decode(bytes, seed | 1U);
  Check(whole.limited == cut.limited);
  Check(whole.seen == cut.seen);
  return 0;
}
