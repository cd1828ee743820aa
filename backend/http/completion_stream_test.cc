// SPDX-License-Identifier: EUPL-1.2
// A well-behaved server: what is sent, what comes back, when, and how a stream is ended.
#include "backend/http/completion_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <future>

#include "backend/http/stream_testing.h"

namespace rocm::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

using Kind = ScriptedServer::Kind;

class BothKinds : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Sockets, BothKinds, testing::Values(Kind::kTcp, Kind::kUnix),
                         [](const auto& kind) {
                           return kind.param == Kind::kTcp ? "Tcp" : "Unix";
                         });

TEST_P(BothKinds, StreamsARealAnswerOfEachApi) {
  for (const wire::Api api : kApis) {
    SCOPED_TRACE(wire::ToString(api));
    ScriptedServer server(
        [&](Peer& peer) {
          peer.ReadRequest();
          peer.Send(RealStream(api));
          peer.WaitForClose();
        },
        GetParam());
    const StreamResult result = RunStream(server.endpoint(), RequestFor(api));
    EXPECT_EQ(result.outcome(), "ok");
    EXPECT_EQ(result.text, RealText(api));
    EXPECT_EQ(result.end.http_status, 200);
    EXPECT_EQ(result.end.tokens, api == wire::Api::kCompletion ? 4 : 3);
    EXPECT_EQ(result.end.completion.finish_reason, FinishReason::kLength);
    EXPECT_EQ(result.end.events, static_cast<std::int64_t>(RealEvents(api).size()));
  }
}

TEST_P(BothKinds, SurvivesEverySplitOfTheBytes) {
  const wire::Api api = wire::Api::kNative;
  const std::string stream = RealStream(api);
  const std::size_t step = QuickOrFull(37, 1);
  std::atomic<std::size_t> cut = 1;
  ScriptedServer server(
      [&](Peer& peer) {
        peer.ReadRequest();
        const std::size_t here = cut;
        peer.Send(stream.substr(0, here));
        // Lets the client read the first part alone: mostly so on TCP, always on a Unix socket.
        while (peer.Unacknowledged() > 0 && !peer.WaitForClose(0ms)) {
        }
        peer.Send(stream.substr(here));
        peer.WaitForClose();
      },
      GetParam());
  for (; cut < stream.size(); cut += step) {
    const StreamResult result = RunStream(server.endpoint(), RequestFor(api));
    ASSERT_EQ(result.outcome(), "ok") << "cut at " << cut;
    ASSERT_EQ(result.text, RealText(api));
  }
}

TEST(CompletionStream, SendsOneProperRequest) {
  std::promise<std::string> seen;
  ScriptedServer server([&](Peer& peer) {
    seen.set_value(peer.ReadRequest());
    peer.Send(RealStream(wire::Api::kChat));
    peer.WaitForClose();
  });
  Endpoint endpoint = server.endpoint();
  endpoint.api_key = "secret-key";
  endpoint.base_path = "/base";
  StreamRequest request = RequestFor(wire::Api::kChat);
  request.body = "{\"x\":1}";
  EXPECT_EQ(RunStream(endpoint, request).outcome(), "ok");
  EXPECT_EQ(seen.get_future().get(),
            "POST /base/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:" +
                std::to_string(endpoint.port) +
                "\r\nAccept: text/event-stream\r\nAuthorization: Bearer secret-key\r\n"
                "Content-Type: application/json\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"
                "{\"x\":1}");
}

TEST(CompletionStream, NeverPrintsTheKey) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Send(
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 47\r\n\r\n"
        "{\"error\":{\"message\":\"bad key secret-key given\"}}");
    peer.WaitForClose();
  });
  Endpoint endpoint = server.endpoint();
  endpoint.api_key = "secret-key";
  const auto result = RunStream(endpoint, RequestFor(wire::Api::kNative));
  EXPECT_EQ(result.outcome(), "unauthorised");
  EXPECT_THAT(result.end.error->message, HasSubstr("bad key *** given"));
}

TEST(CompletionStream, RefusesAnEndpointThatBreaksOutOfItsLine) {
  Endpoint endpoint{.host = "127.0.0.1", .port = 1};
  endpoint.api_key = "a\r\nX-Evil: 1";
  EXPECT_EQ(RunStream(endpoint, RequestFor(wire::Api::kNative)).outcome(), "invalid_argument");
  endpoint.api_key.clear();
  endpoint.base_path = "/a b";
  EXPECT_EQ(RunStream(endpoint, RequestFor(wire::Api::kNative)).outcome(), "invalid_argument");
}

TEST(CompletionStream, StampsEachReadAndMarksWhatCameTogether) {
  std::vector<TimePoint> sent_at;
  const auto events = RealEvents(wire::Api::kNative);
  ASSERT_EQ(events.size(), 4U);
  std::promise<void> first_seen;
  std::promise<void> second_seen;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(kStreamHead);
    sent_at.push_back(Now());
    peer.Send(Chunk(events[0]));
    first_seen.get_future().wait();
    sent_at.push_back(Now());
    peer.Send(Chunk(events[1]) + Chunk(events[2]) + Chunk(events[3]));
    peer.WaitForClose();
  });
  BlockingStream stream(server.endpoint(), RequestFor(wire::Api::kNative));
  std::vector<StreamEvent> seen;
  while (const StreamEvent* event = stream.Next()) {
    seen.push_back(*event);
    if (seen.size() == 1) first_seen.set_value();
  }
  const StreamEnd& end = stream.End();
  ASSERT_FALSE(end.error) << ToString(*end.error);
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_FALSE(seen[0].coalesced);
  EXPECT_FALSE(seen[1].coalesced);
  EXPECT_TRUE(seen[2].coalesced);
  EXPECT_TRUE(seen[3].coalesced);
  EXPECT_EQ(seen[1].at, seen[2].at);
  EXPECT_GE(seen[0].at, sent_at[0]);
  EXPECT_GE(seen[1].at, sent_at[1]);
  EXPECT_LT(seen[0].at, sent_at[1]);
  EXPECT_LT(end.times.connect_started, end.times.connected);
  EXPECT_LT(end.times.connected, end.times.sent);
  EXPECT_LT(end.times.sent, end.times.first_byte);
  EXPECT_LE(end.times.first_byte, seen[0].at);
  EXPECT_EQ(end.times.finished, seen[3].at);
}

TEST(CompletionStream, ClosesAtItsEndMarkerWithoutWaitingForTheServer) {
  std::promise<bool> closed;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    const std::string stream = RealStream(wire::Api::kCompletion);
    peer.Send(stream.substr(0, stream.size() - 5));  // no last chunk
    closed.set_value(peer.WaitForClose(10s));
  });
  BlockingStream stream(server.endpoint(), RequestFor(wire::Api::kCompletion));
  EXPECT_FALSE(stream.End().error);
  EXPECT_TRUE(closed.get_future().get());
}

TEST(CompletionStream, NothingIsSentBeforeTheFirstNext) {
  ScriptedServer server([](Peer& peer) { peer.ReadRequest(); });
  { const BlockingStream stream(server.endpoint(), RequestFor(wire::Api::kNative)); }
  EXPECT_EQ(server.connections(), 0);
}

TEST(CompletionStream, ServesPingsInterimResponsesAndPlainBodies) {
  const auto events = RealEvents(wire::Api::kNative);
  std::string body;
  for (const auto& event : events) body += ":\n\n" + event + ": ping\r\n";
  const std::vector<std::string> heads = {
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
      "content-type: Text/Event-Stream; charset=utf-8\r\n\r\n",
      "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: identity\r\n"
      "Content-Length: " +
          std::to_string(body.size()) + "\r\n\r\n"};
  for (const std::string& head : heads) {
    ScriptedServer server([&](Peer& peer) {
      peer.ReadRequest();
      peer.Send(head + body);
    });
    const auto result = RunStream(server.endpoint(), RequestFor(wire::Api::kNative));
    EXPECT_EQ(result.outcome(), "ok") << head;
    EXPECT_EQ(result.text, RealText(wire::Api::kNative));
  }
}

TEST(CompletionStream, ReadsTheAnswerToABodyThatTheServerDidNotWantToRead) {
  ScriptedServer server([](Peer& peer) {
    char some[100];
    (void)!::read(peer.fd(), some, sizeof(some));
    peer.Send("HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    peer.FinishSending();
    peer.WaitForClose();
  });
  StreamRequest request = RequestFor(wire::Api::kNative);
  request.body.assign(32U << 20, ' ');
  const auto result = RunStream(server.endpoint(), request);
  EXPECT_EQ(result.outcome(), "bad_request");
  EXPECT_EQ(result.end.http_status, 413);
}

// Where a stream can be when it is ended from outside.
struct Phase {
  const char* name;
  std::string sent;  // by the server, before it goes silent
  bool accepts = true;
};

std::ostream& operator<<(std::ostream& out, const Phase& phase) { return out << phase.name; }

class CancelTest : public testing::TestWithParam<Phase> {};

INSTANTIATE_TEST_SUITE_P(
    Phases, CancelTest,
    testing::Values(Phase{"Connecting", "", false}, Phase{"BeforeAnswer", ""},
                    Phase{"InHead", "HTTP/1.1 200 OK\r\nContent-"},
                    Phase{"BeforeFirstToken", std::string(kStreamHead)},
                    Phase{"InEvent", std::string(kStreamHead) + "20\r\ndata: {\"cont"},
                    Phase{"InErrorBody", "HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\nab"}),
    [](const auto& phase) { return phase.param.name; });

TEST_P(CancelTest, EndsAtOnceWithItsReason) {
  const Phase& phase = GetParam();
  const FullBacklog backlog;
  std::promise<void> silent;
  std::promise<bool> closed;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(phase.sent);
    silent.set_value();
    closed.set_value(peer.WaitForClose(10s));
  });
  BlockingStream stream(phase.accepts ? server.endpoint() : backlog.endpoint(),
                        RequestFor(wire::Api::kNative));
  auto ended_at = std::async(std::launch::async, [&] {
    (void)stream.End();
    return Now();
  });
  if (phase.accepts) silent.get_future().wait();
  const TimePoint cancelled_at = Now();
  stream.Cancel(ErrorCode::kClosed);
  stream.Cancel(ErrorCode::kCancelled);  // the first reason wins
  EXPECT_LT(ended_at.get() - cancelled_at, Slack());
  ASSERT_TRUE(stream.End().error);
  EXPECT_EQ(stream.End().error->code, ErrorCode::kClosed);
  if (phase.accepts) {
    EXPECT_TRUE(closed.get_future().get());
  }
}

TEST(CompletionStream, AnswersThatACancelDropsAreNotASuccess) {
  const auto events = RealEvents(wire::Api::kNative);
  // One send on a Unix socket is one read: the stream has ended before its first event is taken.
  ScriptedServer server(
      [&](Peer& peer) {
        peer.ReadRequest();
        peer.Send(std::string(kStreamHead) + Chunk(events[0]) + Chunk(events[1]) +
                  Chunk("data: {\"content\":\"\",\"tokens\":[],\"stop\":true}\n\n") + "0\r\n\r\n");
        peer.WaitForClose();
      },
      ScriptedServer::Kind::kUnix);
  BlockingStream stream(server.endpoint(), RequestFor(wire::Api::kNative));
  ASSERT_NE(stream.Next(), nullptr);
  stream.Cancel(ErrorCode::kClosed);
  EXPECT_EQ(stream.Next(), nullptr);
  ASSERT_TRUE(stream.End().error);
  EXPECT_EQ(stream.End().error->code, ErrorCode::kClosed);

  // After the last event there is nothing left to lose.
  BlockingStream whole(server.endpoint(), RequestFor(wire::Api::kNative));
  while (whole.Next() != nullptr) {
  }
  whole.Cancel();
  EXPECT_FALSE(whole.End().error);
}

TEST(CompletionStream, CancelWithoutAReaderClosesTheConnectionAtOnce) {
  std::promise<bool> closed;
  const auto events = RealEvents(wire::Api::kNative);
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(kStreamHead);
    peer.Send(Chunk(events[0]) + Chunk(events[1]));
    closed.set_value(peer.WaitForClose(10s));
  });
  BlockingStream stream(server.endpoint(), RequestFor(wire::Api::kNative));
  ASSERT_NE(stream.Next(), nullptr);
  std::thread([&] { stream.Cancel(ErrorCode::kCancelled); }).join();
  // Nobody runs the stream, and yet the server is told.
  EXPECT_TRUE(closed.get_future().get());
  EXPECT_EQ(stream.Next(), nullptr);  // what was decoded already is dropped
  ASSERT_TRUE(stream.End().error);
  EXPECT_EQ(stream.End().error->code, ErrorCode::kCancelled);
}

TEST(CompletionStream, CancelBeforeTheStartAndAfterTheEnd) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Send(RealStream(wire::Api::kNative));
    peer.WaitForClose();
  });
  BlockingStream before(server.endpoint(), RequestFor(wire::Api::kNative));
  before.Cancel(ErrorCode::kClosed);
  EXPECT_EQ(before.Next(), nullptr);
  EXPECT_EQ(before.End().error->code, ErrorCode::kClosed);
  BlockingStream after(server.endpoint(), RequestFor(wire::Api::kNative));
  EXPECT_FALSE(after.End().error);
  after.Cancel(ErrorCode::kCancelled);
  EXPECT_FALSE(after.End().error);
}

TEST(CompletionStream, TheDestructorClosesTheConnection) {
  std::promise<bool> closed;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(std::string(kStreamHead) + Chunk(RealEvents(wire::Api::kNative)[0]));
    closed.set_value(peer.WaitForClose(10s));
  });
  {
    BlockingStream stream(server.endpoint(), RequestFor(wire::Api::kNative));
    ASSERT_NE(stream.Next(), nullptr);
  }
  EXPECT_TRUE(closed.get_future().get());
}

TEST(CompletionStream, TheSinkMayEndIt) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Send(RealStream(wire::Api::kNative));
    peer.WaitForClose();
  });
  boost::asio::io_context io;
  int events = 0;
  StreamEnd end;
  boost::asio::co_spawn(
      io,
      StreamCompletion(server.endpoint(), RequestFor(wire::Api::kNative),
                       [&](const wire::CompletionDelta&, TimePoint, bool) { return ++events < 2; }),
      [&](std::exception_ptr, StreamEnd result) { end = std::move(result); });
  io.run();
  EXPECT_EQ(events, 2);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, ErrorCode::kCancelled);
}

TEST(CompletionStream, ASinkThatThrowsIsAnInternalError) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Send(RealStream(wire::Api::kNative));
    peer.WaitForClose();
  });
  boost::asio::io_context io;
  StreamEnd end;
  boost::asio::co_spawn(io,
                        StreamCompletion(server.endpoint(), RequestFor(wire::Api::kNative),
                                         [](const wire::CompletionDelta&, TimePoint, bool) -> bool {
                                           throw std::runtime_error("oops");
                                         }),
                        [&](std::exception_ptr thrown, StreamEnd result) {
                          EXPECT_FALSE(thrown);
                          end = std::move(result);
                        });
  io.run();
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, ErrorCode::kInternal);
  EXPECT_THAT(end.error->message, HasSubstr("oops"));
}

// Many streams on one io_context, some of them cancelled from another thread.
TEST(CompletionStream, ManyAtOnceOnOneThread) {
  const auto events = RealEvents(wire::Api::kNative);
  std::mutex mutex;
  std::condition_variable all_here;
  int here = 0;
  constexpr int kStreams = 60;
  ScriptedServer server(
      [&](Peer& peer) {
        peer.ReadRequest();
        peer.Send(std::string(kStreamHead) + Chunk(events[0]));
        {
          std::unique_lock lock(mutex);
          ++here;
          all_here.notify_all();
          all_here.wait(lock, [&] { return here >= kStreams; });
        }
        for (std::size_t i = 1; i < events.size(); ++i) peer.Send(Chunk(events[i]));
        peer.WaitForClose();
      },
      Kind::kTcp, true);
  boost::asio::io_context io;
  std::vector<std::shared_ptr<StreamCanceller>> cancellers;
  int ok = 0;
  int cancelled = 0;
  for (int i = 0; i < kStreams; ++i) {
    const auto& canceller = cancellers.emplace_back(std::make_shared<StreamCanceller>());
    boost::asio::co_spawn(
        io,
        StreamCompletion(
            server.endpoint(), RequestFor(wire::Api::kNative),
            [](const wire::CompletionDelta&, TimePoint, bool) { return true; }, canceller),
        [&](std::exception_ptr, StreamEnd end) {
          if (!end.error) ++ok;
          if (end.error && end.error->code == ErrorCode::kCancelled) ++cancelled;
        });
  }
  std::thread killer([&] {
    {
      std::unique_lock lock(mutex);
      all_here.wait(lock, [&] { return here >= kStreams / 2; });
    }
    for (std::size_t i = 0; i < cancellers.size(); i += 3) {
      cancellers[i]->Cancel(ErrorCode::kCancelled);
    }
  });
  io.run();
  killer.join();
  EXPECT_EQ(ok + cancelled, kStreams);
  EXPECT_GE(ok, kStreams - kStreams / 3);
}

}  // namespace
}  // namespace rocm::http
