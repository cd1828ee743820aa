// SPDX-License-Identifier: EUPL-1.2
// Servers that never end: in time and in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <malloc.h>
#include <poll.h>

#include <atomic>
#include <fstream>

#include "backend/http/control_client.h"
#include "backend/http/stream_testing.h"

namespace rocm::http {
namespace {

using namespace std::chrono_literals;
using wire::Api;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::size_t StatusKb(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":"))
      return std::strtoul(line.c_str() + name.size() + 1, nullptr, 10);
  }
  return 0;
}

// Growth of the process's peak memory while `work` runs, in bytes. The server in this process sends
// from one small buffer.
template <typename Work>
std::size_t PeakGrowth(Work&& work) {
  ::malloc_trim(0);                               // growth must not hide in what is free already
  std::ofstream("/proc/self/clear_refs") << "5";  // forget the peak so far
  const std::size_t before = StatusKb("VmRSS");
  work();
  const std::size_t peak = StatusKb("VmHWM");
  return peak > before ? (peak - before) * 1024 : 0;
}

struct Flood {
  std::string name;
  std::string expected;
  std::string start;  // sent once
  std::string unit;   // sent again and again
  std::size_t total;  // bytes of units at most
};

std::ostream& operator<<(std::ostream& out, const Flood& flood) { return out << flood.name; }

std::string Repeat(std::string_view unit, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += unit;
  return out;
}

std::vector<Flood> Floods() {
  const std::string head(kStreamHead);
  const std::string plain = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
  const std::string x = Repeat("x", 65536);
  const std::size_t much = QuickOrFull(20U << 20, 200U << 20);
  const std::string token = Chunk(RealEvents(Api::kNative)[0]);
  return {
      {"header_line", "limit_exceeded", "HTTP/1.1 200 OK\r\nA: ", x, much},
      {"status_line", "limit_exceeded", "HTTP/1.1 200 ", x, much},
      {"headers", "limit_exceeded", "HTTP/1.1 200 OK\r\n", Repeat("A: b\r\n", 60'000), much},
      {"interim_responses", "limit_exceeded", "", Repeat("HTTP/1.1 100 C\r\n\r\n", 60'000), much},
      {"event_line", "limit_exceeded", plain + "data: ", x, much},
      {"comment_line", "limit_exceeded", plain + ":", x, much},
      {"field_line", "limit_exceeded", plain, x, much},
      {"id_line", "limit_exceeded", plain + "id: ", x, much},
      {"data_lines", "limit_exceeded", plain, Repeat("data: xxxxxxxxxxxxxxxx\n", 60'000), much},
      {"empty_data_lines", "limit_exceeded", plain, Repeat("data\n", 60'000), much},
      {"deep_json", "limit_exceeded", plain + "data: ", Repeat("[", 65536), much},
      {"deep_json_event", "protocol", plain + "data: " + Repeat("[", 1'000'000) + "\n\n", "", 0},
      {"wide_json_event", "protocol", plain + "data: [" + Repeat("1,", 1'900'000) + "1]\n\n", "",
       0},
      {"strings_json_event", "protocol", plain + "data: [" + Repeat("\"\",", 1'900'000) + "1]\n\n",
       "", 0},
      {"chunk_extension", "limit_exceeded", head + "5;", x, much},
      {"chunk_size_zeros", "limit_exceeded", head, Repeat("0", 65536), much},
      {"trailers", "limit_exceeded", head + "0\r\n", Repeat("A: b\r\n", 60'000), much},
      {"error_body", "server_error", "HTTP/1.1 500 X\r\n\r\n", x, much},
      {"error_body_huge_length", "server_error",
       "HTTP/1.1 500 X\r\nContent-Length: 4000000000\r\n\r\n", x, much},
      {"wrong_type_body", "protocol", "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n", x, much},
      // Proper as far as they go: only a bound on time or on the whole stream ends them.
      {"pings", "deadline_exceeded", plain, Repeat(":\n\n", 60'000), SIZE_MAX},
      {"blank_lines", "deadline_exceeded", plain, Repeat("\n", 60'000), SIZE_MAX},
      {"carriage_returns", "deadline_exceeded", plain, Repeat("\r", 60'000), SIZE_MAX},
      {"retry_fields", "deadline_exceeded", plain, Repeat("retry: 1\n", 60'000), SIZE_MAX},
      {"tokens", "deadline_exceeded", head, Repeat(token, 60'000), SIZE_MAX},
  };
}

class FloodTest : public testing::TestWithParam<Flood> {};

INSTANTIATE_TEST_SUITE_P(Floods, FloodTest, testing::ValuesIn(Floods()),
                         [](const auto& flood) { return flood.param.name; });

TEST_P(FloodTest, EndsInBoundedTimeAndMemory) {
  const Flood& flood = GetParam();
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    if (!peer.Send(flood.start)) return;
    for (std::size_t sent = 0; sent < flood.total && !flood.unit.empty();
         sent += flood.unit.size()) {
      if (!peer.Send(flood.unit)) return;
    }
    peer.WaitForClose();
  });
  StreamRequest request = RequestFor(Api::kNative);
  const bool by_time = flood.expected == "deadline_exceeded";
  request.deadline = by_time ? QuickOrFull(300ms, 3000ms) : 20'000ms;
  StreamEnd end;
  const TimePoint start = Now();
  const std::size_t grown = PeakGrowth([&] {
    BlockingStream stream(server.endpoint(), request);
    while (stream.Next() != nullptr) {
    }
    end = stream.End();
  });
  const auto took = Now() - start;
  ASSERT_TRUE(end.error);
  EXPECT_EQ(ToString(end.error->code), flood.expected) << end.error->message;
  if (by_time) {
    EXPECT_LT(took, request.deadline + Slack());
  }
  if (!kSanitized) {
    EXPECT_LT(grown, 64U << 20) << grown;
  }
  RecordProperty("growth_kb", static_cast<int>(grown / 1024));
}

TEST(HostileLimits, GrowthIsSeen) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer's allocator keeps its own books";
  const std::size_t grown = PeakGrowth([] {
    const std::vector<char> much(32U << 20, 'x');
    EXPECT_EQ(much[much.size() / 2], 'x');
  });
  EXPECT_GE(grown, 30U << 20);
  EXPECT_LT(grown, 36U << 20);
}

TEST(HostileLimits, TheWholeStreamIsBounded) {
  const std::string token = Repeat(Chunk(RealEvents(Api::kNative)[0]), 60'000);
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(kStreamHead);
    while (peer.Send(token)) {
    }
  });
  StreamRequest request = RequestFor(Api::kNative);
  request.max_stream_bytes = 3U << 20;
  EXPECT_EQ(RunStream(server.endpoint(), request).outcome(), "limit_exceeded");
}

// Where a server can fall silent, or nearly so.
struct Silence {
  std::string name;
  std::string sent;
  std::string drip = "";  // then this, a piece at a time
  std::size_t piece = 1;
};

std::ostream& operator<<(std::ostream& out, const Silence& silence) { return out << silence.name; }

std::vector<Silence> Silences() {
  const std::string head(kStreamHead);
  const std::string event = Chunk(RealEvents(Api::kNative)[0]);
  const std::string error = "HTTP/1.1 500 X\r\nContent-Length: 100000\r\n\r\n";
  return {{"before_answer", ""},
          {"in_head", "HTTP/1.1 200 OK\r\nConte"},
          {"after_head", head},
          {"in_chunk_size", head + "7"},
          {"in_event", head + event.substr(0, 40)},
          {"in_mid_stream", head + event},
          {"dripping_head", "", Repeat("HTTP/1.1 200 OK\r\nA: b", 60'000)},
          {"dripping_headers", "HTTP/1.1 200 OK\r\n", Repeat("A: b\r\n", 1400), 6},
          {"dripping_event", head + "fffff\r\ndata: ", Repeat("x", 60'000)},
          {"dripping_pings", head, Repeat(Chunk(":\n\n"), 60'000), 8},
          {"dripping_tokens", head, Repeat(event, 600'000), event.size()}};
}

class SilenceTest : public testing::TestWithParam<Silence> {};

INSTANTIATE_TEST_SUITE_P(Silences, SilenceTest, testing::ValuesIn(Silences()),
                         [](const auto& silence) { return silence.param.name; });

TEST_P(SilenceTest, EndsWithinItsDeadline) {
  const Silence& silence = GetParam();
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(silence.sent);
    peer.Drip(silence.drip, silence.piece, 5ms);
    peer.WaitForClose();
  });
  for (int round = QuickOrFull(5, 100); round > 0; --round) {
    StreamRequest request = RequestFor(Api::kNative);
    request.deadline = 40ms;
    const TimePoint start = Now();
    const StreamResult result = RunStream(server.endpoint(), request);
    ASSERT_LT(Now() - start, request.deadline + Slack());
    ASSERT_GE(Now() - start, request.deadline);
    ASSERT_EQ(result.outcome(), "deadline_exceeded");
    if (!silence.drip.empty()) continue;
    request.deadline = 20s;
    request.stall_timeout = 40ms;
    const TimePoint again = Now();
    ASSERT_EQ(RunStream(server.endpoint(), request).outcome(), "stalled");
    ASSERT_LT(Now() - again, request.stall_timeout + Slack());
  }
}

TEST(HostileLimits, ErrorBodiesThatDripAreNotWaitedFor) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Send("HTTP/1.1 503 X\r\nContent-Length: 100000\r\n\r\n");
    peer.Drip(Repeat("x", 60'000), 1, 5ms);
  });
  const TimePoint start = Now();
  const StreamResult result = RunStream(server.endpoint(), RequestFor(Api::kNative));
  EXPECT_EQ(result.outcome(), "unavailable");
  EXPECT_LT(Now() - start, 1s + Slack());
}

TEST(HostileLimits, AServerThatDoesNotReadTheRequestIsAStall) {
  ScriptedServer server([](Peer& peer) {
    pollfd entry{peer.fd(), POLLRDHUP, 0};
    (void)::poll(&entry, 1, 20'000);
  });
  StreamRequest request = RequestFor(Api::kNative);
  request.body.assign(64U << 20, ' ');
  request.stall_timeout = 100ms;
  EXPECT_EQ(RunStream(server.endpoint(), request).outcome(), "stalled");
}

class FullBacklogs : public testing::TestWithParam<ScriptedServer::Kind> {};

INSTANTIATE_TEST_SUITE_P(Sockets, FullBacklogs,
                         testing::Values(ScriptedServer::Kind::kTcp, ScriptedServer::Kind::kUnix),
                         [](const auto& kind) {
                           return kind.param == ScriptedServer::Kind::kTcp ? "Tcp" : "Unix";
                         });

TEST_P(FullBacklogs, ConnectingIsBounded) {
  const FullBacklog backlog(GetParam());
  StreamRequest request = RequestFor(Api::kNative);
  request.connect_timeout = 60ms;
  TimePoint start = Now();
  EXPECT_EQ(RunStream(backlog.endpoint(), request).outcome(), "stalled");
  EXPECT_LT(Now() - start, 60ms + Slack());
  request.connect_timeout = 10s;
  request.deadline = 60ms;
  start = Now();
  EXPECT_EQ(RunStream(backlog.endpoint(), request).outcome(), "deadline_exceeded");
  EXPECT_LT(Now() - start, 60ms + Slack());
}

// A caller that takes longer than the stall timeout between two tokens has not lost its server.
TEST(HostileLimits, ASlowCallerIsNotAStall) {
  const auto events = RealEvents(Api::kNative);
  std::atomic<bool> all_sent{false};
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(kStreamHead);
    peer.Send(Chunk(events[0]));
    peer.WaitForClose(20ms);
    for (std::size_t i = 1; i < events.size(); ++i) peer.Send(Chunk(events[i]));
    all_sent = true;
    peer.WaitForClose();
  });
  StreamRequest request = RequestFor(Api::kNative);
  request.stall_timeout = 100ms;
  BlockingStream stream(server.endpoint(), request);
  ASSERT_NE(stream.Next(), nullptr);
  const TimePoint busy_until = Now() + 300ms;
  while (Now() < busy_until || !all_sent) {
  }
  EXPECT_FALSE(stream.End().error);
}

}  // namespace
}  // namespace rocm::http
