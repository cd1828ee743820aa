// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/response_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace rocm::http {
namespace {

using Status = ResponseParser::Status;

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Outcome {
  Status status = Status::kMore;
  std::size_t fed = 0;
  std::string body;
};

// One byte at a time, what was not used kept in front, as the connection does.
Outcome Drip(std::string_view bytes) {
  const ResponseParser::Limits limits;
  Outcome out;
  ResponseParser parser(limits, [&](std::string_view piece) {
    out.body += piece;
    return true;
  });
  std::string kept;
  for (; out.fed < bytes.size() && out.status == Status::kMore; ++out.fed) {
    kept += bytes[out.fed];
    std::size_t used = 0;
    out.status = parser.Feed(kept, used);
    kept.erase(0, used);
  }
  if (out.status == Status::kMore) out.status = parser.FeedEnd();
  return out;
}

TEST(ResponseParser, TakesAChunkedBodyInSingleBytes) {
  const std::string whole = std::string(kHead) + "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n";
  const Outcome out = Drip(whole);
  EXPECT_EQ(out.status, Status::kDone);
  EXPECT_EQ(out.body, "hello!");
  EXPECT_EQ(out.fed, whole.size());
}

TEST(ResponseParser, TakesAnEmptyChunkedBodyInSingleBytes) {
  for (const char* end : {"0\r\n\r\n", "0;x\r\n\r\n", "0\r\nTrailer: 1\r\n\r\n"}) {
    const std::string whole = std::string(kHead) + end;
    const Outcome out = Drip(whole);
    EXPECT_EQ(out.status, Status::kDone) << end;
    EXPECT_EQ(out.body, "");
    EXPECT_EQ(out.fed, whole.size()) << end;
  }
}

TEST(ResponseParser, AnEndBeforeTheLastByteIsTruncated) {
  const std::string whole = std::string(kHead) + "0\r\n\r\n";
  for (std::size_t size = kHead.size(); size < whole.size(); ++size) {
    EXPECT_EQ(Drip(whole.substr(0, size)).status, Status::kFailed) << size;
  }
}

}  // namespace
}  // namespace rocm::http
