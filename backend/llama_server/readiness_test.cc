// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>

#include "backend/http/scripted_server.h"

namespace rocm::llama_server {
namespace {

using http::Peer;
using http::ScriptedServer;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

std::string Answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

// A process that lives, is silent, and nobody listens.
struct Silence {
  TimePoint started = Now();
  ReadinessSource source{
      .endpoint = [] { return std::optional<http::Endpoint>(); },
      .wait_exited =
          [](milliseconds time) { return ::poll(nullptr, 0, static_cast<int>(time.count())) != 0; },
      .last_activity = [this] { return started; },
  };
};

TEST(AwaitReadyTest, ReturnsTheEndpointThatAnswers) {
  std::atomic<int> asked{0};
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(++asked < 5 ? Answer(503, R"({"error":{"message":"Loading model"}})")
                          : Answer(200, R"({"status":"ok"})"));
  });
  Silence silence;
  int looks = 0;
  // The port becomes known only after a while.
  silence.source.endpoint = [&]() -> std::optional<http::Endpoint> {
    return ++looks < 3 ? std::nullopt : std::optional(server.endpoint());
  };
  int waits = 0;
  ReadinessOptions options;
  options.on_waiting = [&] { ++waits; };
  const auto ready = AwaitReady(silence.source, options);
  ASSERT_TRUE(ready) << ToString(ready.error());
  EXPECT_EQ(ready->port, server.endpoint().port);
  EXPECT_EQ(asked, 5);
  EXPECT_EQ(waits, 6);
}

TEST(AwaitReadyTest, SeesTheEndOfTheProcessAtOnce) {
  Silence silence;
  silence.source.wait_exited = [](milliseconds) { return true; };
  const auto ready = AwaitReady(silence.source, {});
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, ErrorCode::kServerExited);
}

TEST(AwaitReadyTest, GivesUpOnSilence) {
  Silence silence;
  ReadinessOptions options;
  options.stall_timeout = milliseconds(150);
  const auto ready = AwaitReady(silence.source, options);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, ErrorCode::kStartTimeout);
  EXPECT_THAT(ready.error().message, HasSubstr("no sign of life for 150 ms"));
  EXPECT_GE(Now() - silence.started, milliseconds(150));
}

TEST(AwaitReadyTest, SignsOfLifeHelpUntilTheHardLimit) {
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(Answer(503, "{}"));
  });
  Silence silence;
  silence.source.endpoint = [&] { return std::optional(server.endpoint()); };
  silence.source.last_activity = [] { return Now(); };
  ReadinessOptions options;
  options.stall_timeout = milliseconds(20);
  options.load_timeout = milliseconds(400);
  const auto ready = AwaitReady(silence.source, options);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, ErrorCode::kStartTimeout);
  EXPECT_THAT(ready.error().message, HasSubstr("not ready after 400 ms"));
  EXPECT_THAT(ready.error().message, HasSubstr("HTTP 503"));
}

TEST(AwaitReadyTest, ASilentConnectionIsNotWaitedForForEver) {
  ScriptedServer server([&](Peer& peer) { peer.WaitForClose(); }, ScriptedServer::Kind::kTcp, true);
  Silence silence;
  silence.source.endpoint = [&] { return std::optional(server.endpoint()); };
  ReadinessOptions options;
  options.stall_timeout = milliseconds(100);
  const auto ready = AwaitReady(silence.source, options);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, ErrorCode::kStartTimeout);
  EXPECT_LT(Now() - silence.started, milliseconds(5000));
}

TEST(AwaitReadyTest, CanBeCancelled) {
  Silence silence;
  std::stop_source stop;
  ReadinessOptions options;
  options.stop = stop.get_token();
  options.on_waiting = [&] { stop.request_stop(); };
  const auto ready = AwaitReady(silence.source, options);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, ErrorCode::kCancelled);
  EXPECT_LT(Now() - silence.started, milliseconds(2000));
}

// What a server of this name and key says.
ScriptedServer::Script Llama(std::string name, std::string key) {
  return [name = std::move(name), key = std::move(key)](Peer& peer) {
    const std::string request = peer.ReadRequest();
    const bool open = key.empty() || request.find("Bearer " + key + "\r\n") != std::string::npos;
    peer.Send(!open ? Answer(401, R"({"error":{"code":401}})")
                    : Answer(200, R"({"data":[{"id":")" + name + R"("}]})"));
  };
}

http::Endpoint With(http::Endpoint endpoint, const std::string& key) {
  endpoint.api_key = key;
  return endpoint;
}

TEST(ProveIdentityTest, BelievesTheNameAndTheKey) {
  for (const auto kind : {ScriptedServer::Kind::kTcp, ScriptedServer::Kind::kUnix}) {
    ScriptedServer server(Llama("ours", "secret"), kind);
    const auto proof = ProveIdentity(With(server.endpoint(), "secret"), "ours");
    EXPECT_TRUE(proof) << ToString(proof.error());
  }
}

TEST(ProveIdentityTest, SeesThroughImpostors) {
  const struct {
    const char* name;
    const char* key;
    const char* why;
  } cases[] = {
      {"theirs", "", "does not know the name"},
      {"ours-not", "secret", "does not know the name"},
      {"ours", "another", "refuses our key"},
      {"ours", "", "asks for no key"},
  };
  for (const auto& c : cases) {
    ScriptedServer server(Llama(c.name, c.key));
    const auto proof = ProveIdentity(With(server.endpoint(), "secret"), "ours");
    ASSERT_FALSE(proof) << c.why;
    EXPECT_EQ(proof.error().code, ErrorCode::kWrongServer);
    EXPECT_THAT(proof.error().message, HasSubstr(c.why));
    EXPECT_EQ(proof.error().message.find("secret"), std::string::npos);
  }
}

TEST(ProveIdentityTest, ADeafServerIsNotAnImpostor) {
  ScriptedServer server([](Peer& peer) { peer.Close(); });
  const auto proof = ProveIdentity(With(server.endpoint(), "secret"), "ours");
  ASSERT_FALSE(proof);
  EXPECT_NE(proof.error().code, ErrorCode::kWrongServer);
}

}  // namespace
}  // namespace rocm::llama_server
