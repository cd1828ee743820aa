// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/control_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <thread>

#include "backend/base/testing/soak.h"
#include "backend/http/scripted_server.h"
#include "backend/wire/control_reply.h"
#include "backend/wire/testing.h"

namespace rocm::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

// See Slack() of the streams' tests.
const auto kSlack = QuickOrFull(2'500ms, 250ms);

std::string Outcome(const Result<Reply>& reply) {
  return reply ? "reply " + std::to_string(reply->status)
               : std::string(ToString(reply.error().code));
}

class ControlClientSockets : public testing::TestWithParam<ScriptedServer::Kind> {};
INSTANTIATE_TEST_SUITE_P(Sockets, ControlClientSockets,
                         testing::Values(ScriptedServer::Kind::kTcp, ScriptedServer::Kind::kUnix));

TEST_P(ControlClientSockets, ReadsRealAnswers) {
  std::atomic<const char*> file = nullptr;
  ScriptedServer server(
      [&](Peer& peer) {
        peer.ReadRequest();
        peer.Send(wire::ReadTestData(file.load()));
        peer.WaitForClose();
      },
      GetParam());
  const ControlClient client(server.endpoint());
  file = "get_health.http";
  auto reply = client.Get("/health");
  ASSERT_TRUE(reply) << ToString(reply.error());
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, R"({"status":"ok"})");
  EXPECT_EQ(reply->server, "llama.cpp");
  EXPECT_THAT(reply->content_type, StartsWith("application/json"));
  file = "get_props.http";
  reply = client.GetOk("/props");
  ASSERT_TRUE(reply);
  EXPECT_EQ(wire::ParseProps(reply->body)->total_slots, 4);
  file = "tokenize.http";
  reply = client.PostOk("/tokenize", R"({"content":"hello"})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(wire::ParseTokens(reply->body)->size(), 17U);
  file = "loading_health.http";
  reply = client.Get("/health");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  reply = client.GetOk("/health");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(reply.error().message, HasSubstr("Loading model"));
  EXPECT_TRUE(reply.error().retryable);
}

TEST(ControlClient, SendsProperRequests) {
  std::promise<std::string> get;
  std::promise<std::string> post;
  std::atomic<int> calls = 0;
  ScriptedServer server([&](Peer& peer) {
    (calls++ == 0 ? get : post).set_value(peer.ReadRequest());
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    peer.WaitForClose();
  });
  Endpoint endpoint = server.endpoint();
  endpoint.api_key = "secret";
  const ControlClient client(endpoint);
  EXPECT_EQ(Outcome(client.Get("/slots?x=1")), "reply 200");
  EXPECT_EQ(Outcome(client.Post("/tokenize", "{}")), "reply 200");
  const std::string host = "Host: 127.0.0.1:" + std::to_string(endpoint.port) + "\r\n";
  EXPECT_EQ(get.get_future().get(), "GET /slots?x=1 HTTP/1.1\r\n" + host +
                                        "Accept: application/json\r\nAuthorization: Bearer "
                                        "secret\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(post.get_future().get(),
            "POST /tokenize HTTP/1.1\r\n" + host +
                "Accept: application/json\r\nAuthorization: Bearer secret\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n"
                "Connection: close\r\n\r\n{}");
  EXPECT_EQ(Outcome(client.Get("/a b")), "invalid_argument");
  EXPECT_EQ(Outcome(client.Get("slots")), "invalid_argument");
  EXPECT_EQ(Outcome(client.Get("/a\r\nX: y")), "invalid_argument");
}

struct Case {
  std::string name;
  std::string expected;
  std::string bytes;
  bool stays = false;
};

TEST(ControlClient, EveryFaultHasItsClass) {
  const std::string json = "Content-Type: application/json\r\n";
  const std::vector<Case> cases = {
      {"chunked", "reply 200",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true},
      {"until_close", "reply 200", "HTTP/1.1 200 OK\r\n\r\n{}"},
      {"no_content", "reply 204", "HTTP/1.1 204 X\r\n\r\n", true},
      {"interim", "reply 404", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
       true},
      {"redirect", "reply 302", "HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", true},
      {"nothing", "connection_reset", ""},
      {"half_head", "truncated", "HTTP/1.1 200 OK\r\nA"},
      {"half_body", "truncated", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"},
      {"half_chunk", "truncated", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
      {"no_last_chunk", "truncated",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"},
      {"bad_chunk", "protocol", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nab"},
      {"not_http", "protocol", "hello there\r\n\r\n"},
      {"compressed", "protocol",
       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"},
      {"length_over_limit", "limit_exceeded",
       "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nx"},
      {"body_over_limit", "limit_exceeded", "HTTP/1.1 200 OK\r\n\r\n" + std::string(20'000, 'x')},
      {"header_over_limit", "limit_exceeded", "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'x')},
      {"silence", "deadline_exceeded", "", true},
      {"silence_in_head", "deadline_exceeded", "HTTP/1.1 20", true},
      {"silence_in_body", "deadline_exceeded", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
       true},
  };
  std::atomic<const Case*> current = nullptr;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    const Case* const now = current;
    peer.Send(now->bytes);
    now->stays ? (void)peer.WaitForClose() : peer.Close();
  });
  const ControlClient client(server.endpoint());
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    current = &c;
    const TimePoint start = Now();
    const auto reply =
        client.Get("/", {.deadline = c.expected == "deadline_exceeded" ? 50ms : 10'000ms,
                         .max_body_bytes = 10'000,
                         .cancel = {}});
    EXPECT_EQ(Outcome(reply), c.expected);
    EXPECT_LT(Now() - start, 50ms + kSlack);
  }
}

TEST(ControlClient, HostileServersEndWithinTheDeadlineInBoundedMemory) {
  const std::string flood(65536, 'x');
  const std::vector<std::pair<std::string, std::string>> floods = {
      {"HTTP/1.1 200 OK\r\nA: ", "limit_exceeded"},
      {"HTTP/1.1 200 OK\r\n\r\n", "limit_exceeded"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", "limit_exceeded"},
  };
  for (const auto& [start, expected] : floods) {
    ScriptedServer server([&, begin = start](Peer& peer) {
      peer.ReadRequest();
      for (bool on = peer.Send(begin); on;) on = peer.Send(flood);
    });
    EXPECT_EQ(Outcome(ControlClient(server.endpoint()).Get("/")), expected);
  }
  ScriptedServer drip([](Peer& peer) {
    peer.ReadRequest();
    peer.Drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'), 1, 5ms);
  });
  for (int round = QuickOrFull(5, 100); round > 0; --round) {
    const TimePoint start = Now();
    EXPECT_EQ(Outcome(ControlClient(drip.endpoint()).Get("/", {.deadline = 40ms, .cancel = {}})),
              "deadline_exceeded");
    EXPECT_LT(Now() - start, 40ms + kSlack);
  }
}

TEST(ControlClient, IsCancelledByItsStopToken) {
  std::promise<void> asked;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    asked.set_value();
    peer.WaitForClose();
  });
  std::stop_source source;
  const ControlClient client(server.endpoint());
  std::thread stopper([&] {
    asked.get_future().wait();
    source.request_stop();
  });
  const TimePoint start = Now();
  const auto reply = client.Get("/", {.deadline = 20s, .cancel = source.get_token()});
  EXPECT_EQ(Outcome(reply), "cancelled");
  EXPECT_LT(Now() - start, 5s);
  stopper.join();
  EXPECT_EQ(Outcome(client.Get("/", {.deadline = 20s, .cancel = source.get_token()})), "cancelled");
}

TEST(ControlClient, NobodyListens) {
  Endpoint endpoint;
  {
    const ScriptedServer gone([](Peer&) {});
    endpoint = gone.endpoint();
  }
  const auto reply = ControlClient(endpoint).Get("/health");
  EXPECT_EQ(Outcome(reply), "connection_refused");
  EXPECT_TRUE(reply.error().retryable);
  EXPECT_THAT(reply.error().message, HasSubstr(endpoint.ToString()));
  const FullBacklog backlog;
  EXPECT_EQ(Outcome(ControlClient(backlog.endpoint()).Get("/", {.deadline = 40ms, .cancel = {}})),
            "deadline_exceeded");
}

TEST(ControlClient, IsUsableByManyThreads) {
  ScriptedServer server(
      [](Peer& peer) {
        peer.ReadRequest();
        peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        peer.WaitForClose();
      },
      ScriptedServer::Kind::kTcp, true);
  const ControlClient client(server.endpoint());
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        const auto reply = client.Get("/");
        if (reply && reply->body == "{}") ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
}

}  // namespace
}  // namespace rocm::http
