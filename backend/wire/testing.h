// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/testing/soak.h"
#include "backend/wire/completion_decoder.h"
#include "backend/wire/sse_decoder.h"

namespace rocm::wire {

// For tests: captured bytes of a real llama-server, and a whole stream decoded from them.

inline std::string ReadTestData(const std::string& name) {
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  const std::string path =
      std::string(source == nullptr ? "." : source) + "/backend/wire/testdata/" + name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

// Every nth split where each costs a sanitizer's price.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline const std::size_t kSplitStep = QuickOrFull<std::size_t>(11, 1);
#else
inline const std::size_t kSplitStep = 1;
#endif

// What follows the header block.
inline std::string BodyOf(const std::string& reply) {
  const std::size_t end = reply.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : reply.substr(end + 4);
}

// The body of a capture that still has its chunk framing.
inline std::string DechunkedBodyOf(const std::string& reply) {
  std::string body = BodyOf(reply);
  std::string out;
  std::size_t at = 0;
  while (at < body.size()) {
    const std::size_t size = std::strtoul(body.c_str() + at, nullptr, 16);
    at = body.find("\r\n", at) + 2;
    if (size == 0) break;
    out += body.substr(at, size);
    at += size + 2;
  }
  return out;
}

struct DecodedStream {
  std::vector<CompletionDelta> deltas;
  std::string text;
  std::string reasoning;
  std::vector<std::int32_t> ids;
  std::vector<int> counts;  // of the events with content or ids
  std::optional<Error> error;
  bool complete = false;
  int tokens = 0;
  TokenSource source = TokenSource::kNone;
  Completion completion;
};

// Feeds `pieces` one by one.
inline DecodedStream DecodeStream(Api api, const std::vector<std::string_view>& pieces) {
  SseDecoder sse({.report_error_lines = true});
  CompletionDecoder decoder(api);
  DecodedStream out;
  for (const std::string_view piece : pieces) {
    const auto status = sse.Feed(piece, [&](const SseEvent& event) {
      CompletionDelta& delta = out.deltas.emplace_back();
      decoder.Decode(event, delta);
      out.text += delta.text;
      out.reasoning += delta.reasoning;
      out.ids.insert(out.ids.end(), delta.ids.begin(), delta.ids.end());
      if (delta.has_content() || !delta.ids.empty()) out.counts.push_back(delta.count);
      if (delta.error && !out.error) out.error = delta.error;
      return true;
    });
    EXPECT_EQ(status, SseDecoder::Status::kMore);
  }
  out.complete = decoder.complete();
  out.tokens = decoder.tokens();
  out.source = decoder.token_source();
  out.completion = decoder.completion();
  return out;
}

inline DecodedStream DecodeStream(Api api, std::string_view whole) {
  return DecodeStream(api, std::vector<std::string_view>{whole});
}

}  // namespace rocm::wire
