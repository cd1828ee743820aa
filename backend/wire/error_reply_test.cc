// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/error_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/wire/testing.h"

namespace rocm::wire {
namespace {

using testing::HasSubstr;

Error FromCapture(const std::string& file) {
  const std::string reply = ReadTestData(file);
  return ErrorFromReply({.status = std::stoi(reply.substr(9, 3)),
                         .content_type = "application/json; charset=utf-8",
                         .body = BodyOf(reply)});
}

TEST(ErrorReply, ClassifiesWhatLlamaServerSays) {
  const Error too_long = FromCapture("err_toolong.http");
  EXPECT_EQ(too_long.code, ErrorCode::kContextExceeded);
  EXPECT_EQ(too_long.http_status, 400);
  EXPECT_FALSE(too_long.retryable);
  EXPECT_THAT(too_long.message, HasSubstr("request (15001 tokens) exceeds"));

  const Error loading = FromCapture("loading_health.http");
  EXPECT_EQ(loading.code, ErrorCode::kUnavailable);
  EXPECT_EQ(loading.http_status, 503);
  EXPECT_TRUE(loading.retryable);
  EXPECT_THAT(loading.message, HasSubstr("Loading model"));

  EXPECT_EQ(FromCapture("err_404.http").code, ErrorCode::kBadRequest);
  EXPECT_EQ(FromCapture("err_badjson.http").code, ErrorCode::kBadRequest);
  EXPECT_EQ(FromCapture("err_badtoken.http").code, ErrorCode::kBadRequest);
  EXPECT_EQ(FromCapture("err_wrongtype.http").http_status, 400);
}

TEST(ErrorReply, EveryStatusHasOneClass) {
  struct Row {
    int status;
    ErrorCode code;
    bool retryable;
  };
  for (const Row& row : std::vector<Row>{{400, ErrorCode::kBadRequest, false},
                                         {401, ErrorCode::kUnauthorised, false},
                                         {403, ErrorCode::kUnauthorised, false},
                                         {404, ErrorCode::kBadRequest, false},
                                         {405, ErrorCode::kBadRequest, false},
                                         {408, ErrorCode::kBadRequest, true},
                                         {413, ErrorCode::kBadRequest, false},
                                         {422, ErrorCode::kBadRequest, false},
                                         {429, ErrorCode::kRateLimited, true},
                                         {500, ErrorCode::kServerError, true},
                                         {501, ErrorCode::kServerError, false},
                                         {502, ErrorCode::kServerError, true},
                                         {503, ErrorCode::kUnavailable, true},
                                         {504, ErrorCode::kServerError, true},
                                         {301, ErrorCode::kRedirected, false},
                                         {307, ErrorCode::kRedirected, false},
                                         {204, ErrorCode::kProtocol, false},
                                         {999, ErrorCode::kProtocol, false}}) {
    for (const std::string body :
         {"", "{}", "null", "[]", "not json", "<html>no</html>", "{\"error\":null}",
          "{\"error\":{\"message\":\"m\"}}", "{\"error\":", "\xFF\xFE"}) {
      const Error error = ErrorFromReply({.status = row.status, .body = body});
      EXPECT_EQ(ToString(error.code), ToString(row.code)) << row.status << " " << body;
      EXPECT_EQ(error.retryable, row.retryable) << row.status;
      EXPECT_EQ(error.http_status, row.status);
      EXPECT_FALSE(error.message.empty());
    }
  }
}

TEST(ErrorReply, ReadsEveryUsualBody) {
  const auto message = [](std::string_view type, std::string_view body) {
    return ErrorFromReply({.status = 400, .content_type = type, .body = body}).message;
  };
  EXPECT_THAT(message("application/json", R"({"error":{"message":"a"}})"), HasSubstr(": a"));
  EXPECT_THAT(message("application/json", R"({"error":"b"})"), HasSubstr(": b"));
  EXPECT_THAT(message("application/json", R"({"message":"c"})"), HasSubstr(": c"));
  EXPECT_THAT(message("application/json", R"({"detail":"d"})"), HasSubstr(": d"));
  EXPECT_THAT(message("application/json", R"({"detail":[{"loc":[],"msg":"e"}]})"),
              HasSubstr(": e"));
  EXPECT_THAT(message("text/plain", "plain words"), HasSubstr("plain words"));
  EXPECT_THAT(message("", ""), HasSubstr("empty body"));
  EXPECT_EQ(message("text/html", "<html><head><title>502 Bad\nGateway</title></head>"),
            "the server answered 400 with an HTML page: 502 Bad Gateway");
  EXPECT_THAT(message("", " <!doctype html><p>x"), HasSubstr("an HTML page"));
  const auto later = ErrorFromReply({.status = 429, .body = "", .retry_after = "3"});
  EXPECT_THAT(later.message, HasSubstr("retry after 3"));
  const auto moved = ErrorFromReply({.status = 302, .location = "http://x/\r\nSet-Cookie: y"});
  EXPECT_THAT(moved.message, HasSubstr("redirect"));
  EXPECT_THAT(moved.message, HasSubstr("http://x/ Set-Cookie: y"));
}

TEST(ErrorReply, OutOfMemoryIsItsOwnClass) {
  const auto error = ErrorFromReply(
      {.status = 500, .body = R"({"error":{"message":"CUDA error: out of memory"}})"});
  EXPECT_EQ(error.code, ErrorCode::kOutOfMemory);
}

TEST(ErrorReply, HostileBodiesGiveAShortLine) {
  const std::string deep(1'000'000, '[');
  for (const std::string& body :
       {deep, std::string(1'000'000, '{'), std::string(100'000, '\0'), std::string(100'000, '\n'),
        "{\"error\":{\"message\":\"" + std::string(1'000'000, 'x') + "\"}}",
        std::string(R"({"error":{"message":"a\nb\r\u0000\u001b[31m\u0085c"}})")}) {
    const Error error = ErrorFromReply({.status = 500, .body = body});
    EXPECT_EQ(error.code, ErrorCode::kServerError);
    EXPECT_LT(error.message.size(), 400U);
    for (const char c : error.message) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20) << int(c);
  }
}

TEST(OneLine, CutsAtCharactersAndMarksIt) {
  EXPECT_EQ(OneLine("abc"), "abc");
  EXPECT_EQ(OneLine("a\n\n b\t"), "a  b");
  EXPECT_EQ(OneLine("ééé", 3), "é…");
  EXPECT_EQ(OneLine("a\xFF"), "a\uFFFD");
  EXPECT_EQ(OneLine(""), "");
}

}  // namespace
}  // namespace rocm::wire
