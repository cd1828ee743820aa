// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rocm::http {
namespace {

using testing::HasSubstr;

TEST(Endpoint, ParsesWhatItPrints) {
  for (const std::string url :
       {"http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080", "unix:/run/x.sock",
        "unix:relative.sock", "http://host.example:9931/base/path"}) {
    const auto endpoint = ParseEndpoint(url);
    ASSERT_TRUE(endpoint) << url << ": " << endpoint.error().message;
    EXPECT_EQ(endpoint->ToString(), url);
  }
}

TEST(Endpoint, TakesApartAUrl) {
  const auto endpoint = ParseEndpoint("http://[::1]:81/a/b/");
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->host, "::1");
  EXPECT_EQ(endpoint->port, 81);
  EXPECT_EQ(endpoint->base_path, "/a/b");
  EXPECT_EQ(ParseEndpoint("http://host")->port, 80);
  EXPECT_EQ(ParseEndpoint("http://host/")->base_path, "");
  EXPECT_EQ(ParseEndpoint("unix:/a b")->unix_path, "/a b");
}

TEST(Endpoint, NeverPrintsTheKey) {
  Endpoint endpoint;
  endpoint.host = "h";
  endpoint.port = 1;
  endpoint.api_key = "secret";
  EXPECT_EQ(endpoint.ToString(), "http://h:1");
}

TEST(Endpoint, RefusesEverythingElse) {
  for (const std::string url : {"",
                                "http://",
                                "http:///x",
                                "http://:80",
                                "http://h:",
                                "http://h:0",
                                "http://h:65536",
                                "http://h:-1",
                                "http://h:8x",
                                "http://h:80:80",
                                "http://[::1",
                                "http://[::1]x",
                                "http://u:p@h",
                                "http://h?x",
                                "http://h/#x",
                                "http://h/a?b=c",
                                "ftp://h",
                                "h:80",
                                "127.0.0.1",
                                "http://h h",
                                "http://h\r\nX",
                                "unix:",
                                "HTTP://h"}) {
    const auto endpoint = ParseEndpoint(url);
    ASSERT_FALSE(endpoint) << url;
    EXPECT_EQ(endpoint.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(ParseEndpoint("unix:/" + std::string(107, 'x')));
  EXPECT_TRUE(ParseEndpoint("unix:/" + std::string(106, 'x')));
  EXPECT_THAT(ParseEndpoint("https://h").error().message, HasSubstr("https is not supported"));
}

}  // namespace
}  // namespace rocm::http
