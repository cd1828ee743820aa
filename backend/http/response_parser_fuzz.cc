// SPDX-License-Identifier: EUPL-1.2
// Any bytes as a response, whole and cut at places that the bytes themselves decide: the same head,
// body and end, within the limits.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/testing/fuzzing.h"
#include "backend/http/response_parser.h"

namespace {

using rocm::fuzzing::Cuts;
using rocm::fuzzing::Require;
using rocm::http::ResponseParser;

constexpr ResponseParser::Limits kLimits{
    .header_bytes = 2000, .header_count = 20, .body_bytes = 5000};

struct Outcome {
  ResponseParser::Status status = ResponseParser::Status::kMore;
  int http_status = 0;
  std::string type;
  std::string body;
};

Outcome Parse(std::string_view bytes, std::optional<Cuts> cuts) {
  Outcome out;
  ResponseParser parser(kLimits, [&](std::string_view piece) {
    out.body.append(piece);
    return true;
  });
  std::string kept;
  while (!bytes.empty() && out.status == ResponseParser::Status::kMore) {
    const std::size_t piece = cuts ? cuts->Next(28) : bytes.size();
    kept.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    std::size_t used = 0;
    const std::string now = kept;  // exactly as long as it is
    out.status = parser.Feed(now, used);
    Require(used <= now.size());
    kept.erase(0, used);
    Require(out.status != ResponseParser::Status::kMore || kept.size() <= kLimits.header_bytes);
  }
  if (out.status == ResponseParser::Status::kMore) out.status = parser.FeedEnd();
  Require(parser.error().has_value() == (out.status == ResponseParser::Status::kFailed));
  Require(out.body.size() <= kLimits.body_bytes);
  if (parser.head_done()) {
    out.http_status = parser.head().status;
    out.type = parser.head().content_type;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Parse(bytes, std::nullopt);
  const Outcome cut = Parse(bytes, Cuts(bytes));
  // How much of a faulty message is delivered before the fault is seen may differ with the cuts.
  Require(whole.status == cut.status);
  if (whole.status == ResponseParser::Status::kDone) {
    Require(whole.body == cut.body && whole.type == cut.type);
    Require(whole.http_status == cut.http_status);
  }
  return 0;
}
