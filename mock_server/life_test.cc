// SPDX-License-Identifier: EUPL-1.2
// From the command line to the exit code: flags, loading, sockets, signals.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>

#include "mock_server/testing/fault_test_base.h"
#include "mock_server/testing/tiny_model.h"

namespace mock::testing {
namespace {

// Runs to its end.
struct Ended {
  Exit exit;
  std::string log;
  std::string output;
};

Ended RunToEnd(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
  StartOptions options = WithoutWaiting(std::move(arguments));
  options.environment = std::move(environment);
  MockProcess process(options);
  const auto exit = process.Wait(15.0);
  EXPECT_TRUE(exit.has_value()) << "still running";
  return {exit.value_or(Exit{}), process.Log(), process.Output()};
}

TEST(Start, RefusesBadFlagsInTheServersWords) {
  const Ended unknown = RunToEnd({"--badflag"});
  EXPECT_EQ(unknown.exit.code, 1);
  EXPECT_EQ(unknown.log, "error: invalid argument: --badflag\n");
  EXPECT_TRUE(Has(RunToEnd({"-c", "abc"}).log, "error while handling argument \"-c\": stoi"));
  const Ended flash = RunToEnd({"-fa", "maybe"});
  EXPECT_EQ(flash.exit.code, 1);
  EXPECT_TRUE(Has(flash.log, "error: unknown value for --flash-attn: 'maybe'"));
  EXPECT_EQ(RunToEnd({"--mock-jitter", "wild"}).exit.code, 1);
  EXPECT_EQ(RunToEnd({"--mock-model", "step_ms=x"}).exit.code, 1);
}

TEST(Start, RefusesBadModels) {
  const TemporaryFolder folder;
  WriteTinyModel(folder.File("whole.gguf"), 4'096);
  WriteTinyModel(folder.File("cut.gguf"), 4'096);
  std::filesystem::resize_file(folder.File("cut.gguf"), 1'000'000);
  const std::string head = ReadWhole(folder.File("whole.gguf")).substr(0, 100);
  folder.Write("head.gguf", head);
  folder.Write("garbage.gguf", std::string(500, 'x'));
  folder.Write("empty.gguf", "");
  for (const auto& [model, reason] : std::vector<std::pair<std::string, std::string>>{
           {folder.File("none.gguf"), "No such file or directory"},
           {folder.File("garbage.gguf"), "invalid magic characters: 'xxxx', expected 'GGUF'"},
           {folder.File("empty.gguf"), "failed to read magic"},
           {folder.path(), "failed to read magic"},
           {folder.File("head.gguf"), "failed to read key-value pairs"},
           {folder.File("cut.gguf"), "data is not within the file bounds"}}) {
    SCOPED_TRACE(model);
    const Ended ended = RunToEnd({"-m", model});
    EXPECT_EQ(ended.exit.code, 1);
    EXPECT_TRUE(Has(ended.log, reason)) << ended.log;
    EXPECT_TRUE(Has(ended.log, "srv  llama_server: exiting due to model loading error"));
  }
  const MockProcess stub({"-m", folder.Write("stub.gguf", "GGUF")});
  EXPECT_NE(stub.port(), 0);
}

TEST(Start, RefusesAPortOrSocketInUse) {
  const MockProcess first;
  const Ended port = RunToEnd({"--port", std::to_string(first.port())});
  EXPECT_EQ(port.exit.code, 1);
  EXPECT_TRUE(Has(port.log, "couldn't bind HTTP server socket, hostname: 127.0.0.1, port: " +
                                std::to_string(first.port())));
  EXPECT_FALSE(Has(port.log, "loading model")) << "before the load";
  const TemporaryFolder folder;
  folder.Write("stale.sock", "");
  const Ended stale = RunToEnd({"--host", folder.File("stale.sock")});
  EXPECT_EQ(stale.exit.code, 1);
  EXPECT_TRUE(Has(stale.log, "couldn't bind"));
}

TEST(Start, VersionAndHelpNameWhatTheBuildKnows) {
  const Ended version = RunToEnd({"--version"});
  EXPECT_EQ(version.exit.code, 0);
  EXPECT_TRUE(version.output.empty());
  EXPECT_TRUE(version.log.starts_with("version: 0.7.0 (build 11669, commit Debian)\n"));
  EXPECT_EQ(RunToEnd({"--list-devices"}).output, "Available devices:\n  (none)\n");
  EXPECT_EQ(RunToEnd({"--mock-preset", "rx7800xt-gemma3-4b", "--list-devices"}).output,
            "Available devices:\n"
            "  ROCm0: AMD Radeon RX 7800 XT (16368 MiB, 16214 MiB free)\n");
  const std::string current = RunToEnd({"--help"}).output;
  EXPECT_TRUE(Has(current, "--sse-ping-interval"));
  EXPECT_TRUE(Has(current, "--load-mode MODE"));
  EXPECT_FALSE(Has(current, "--mlock"));
  const std::string mid = RunToEnd({"--mock-build", "mid", "--help"}).output;
  EXPECT_TRUE(Has(mid, "--no-webui"));
  EXPECT_TRUE(Has(mid, "--flash-attn [on|off|auto]"));
  EXPECT_FALSE(Has(mid, "--sse-ping-interval"));
  const std::string old = RunToEnd({"--mock-build", "old", "--help"}).output;
  EXPECT_TRUE(Has(old, "-fa, --flash-attn\n"));
  EXPECT_TRUE(Has(old, "--no-mmap"));
  EXPECT_FALSE(Has(old, "--kv-unified"));
}

TEST(Start, BuildsDifferInFlagsAndLog) {
  EXPECT_TRUE(Has(RunToEnd({"--no-mmap"}).log, "invalid argument: --no-mmap"));
  EXPECT_TRUE(Has(RunToEnd({"--mock-build", "old", "-fa", "on"}).log, "invalid argument: on"));
  const MockProcess old({"--mock-build", "old", "--no-mmap", "-fa", "-c", "512"});
  EXPECT_TRUE(Has(old.Log(), "main: server is listening on http://127.0.0.1:" +
                                 std::to_string(old.port()) + " - starting the main loop"));
  EXPECT_TRUE(Has(Ask(old.port(), "GET", "/props").Body(), R"("total_slots":1)"));
}

TEST(Start, TakesTheEnvironment) {
  StartOptions options;
  options.arguments = {"--port", "0"};
  options.environment = {"LLAMA_API_KEY=sesame", "LLAMA_ARG_N_PARALLEL=3",
                         "LLAMA_ARG_CTX_SIZE=900"};
  const MockProcess server(options);
  EXPECT_EQ(Ask(server.port(), "GET", "/props").Status(), 401);
  const std::string props =
      Ask(server.port(), "GET", "/props", {}, "Authorization: Bearer sesame\r\n").Body();
  EXPECT_TRUE(Has(props, R"("total_slots":3)"));
  EXPECT_TRUE(Has(props, R"("n_ctx":300)"));
}

TEST(Start, SlotsAndContextFollowTheRules) {
  const auto props = [](std::vector<std::string> arguments) {
    const MockProcess server(std::move(arguments));
    return Ask(server.port(), "GET", "/props").Body();
  };
  EXPECT_TRUE(Has(props({"-c", "2048", "-np", "4"}), R"("n_ctx":512},"total_slots":4)"));
  EXPECT_TRUE(Has(props({"-c", "2048", "-np", "4", "-kvu"}), R"("n_ctx":2048},"total_slots":4)"));
  EXPECT_TRUE(Has(props({"-c", "2048"}), R"("n_ctx":2048},"total_slots":4)"));
  EXPECT_TRUE(Has(props({}), R"("n_ctx":65536},"total_slots":4)"));
}

TEST(Socket, ServesAUnixSocketAndLeavesItBehind) {
  const TemporaryFolder folder;
  const std::string path = folder.File("s.sock");
  MockProcess server({"--host", path});
  EXPECT_TRUE(Has(server.Log(), "listening on unix://" + path));
  const RawClient client = RawClient::Unix(path);
  client.Send(HttpText("GET", "/health", "", "Connection: close\r\n"));
  EXPECT_EQ(client.Read(5.0).Status(), 200);
  server.Signal(SIGTERM);
  const auto ended = server.Wait(2.0);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 0);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Connections, StayForFiveSecondsOrAHundredRequests) {
  const MockProcess server;
  const RawClient client = RawClient::Tcp(server.port());
  for (int i = 1; i <= 100; ++i) {
    client.Send(HttpText("GET", "/health", ""));
    const RawAnswer answer = client.Read(5.0, "\"ok\"}");
    ASSERT_EQ(answer.Status(), 200) << i;
    EXPECT_EQ(Has(answer.Head(), "Keep-Alive: timeout=5, max=100"), i < 100) << i;
  }
  EXPECT_EQ(client.Read(1.0).end, ReadEnd::kClosed);
  const RawClient idle = RawClient::Tcp(server.port());
  const Ns start = Now();
  EXPECT_EQ(idle.Read(8.0).end, ReadEnd::kClosed);
  EXPECT_GE(Now() - start, 4'900 * kMillisecond);
}

TEST(Connections, CloseAfterAStreamThoughItSaysOtherwise) {
  const MockProcess server;
  const RawClient client = RawClient::Tcp(server.port());
  client.Send(HttpText("POST", "/completion", R"({"prompt":"a","n_predict":1,"stream":true})"));
  const RawAnswer answer = client.Read(5.0);
  EXPECT_EQ(answer.end, ReadEnd::kClosed);
  EXPECT_TRUE(Has(answer.Head(), "Keep-Alive: timeout=5, max=100"));
}

TEST(Connections, TwoRequestsInOneWriteAreAnsweredInTurn) {
  const MockProcess server;
  const RawClient client = RawClient::Tcp(server.port());
  client.Send(HttpText("GET", "/health", "") +
              HttpText("GET", "/v1/health", "", "Connection: close\r\n"));
  EXPECT_EQ(Count(client.Read(5.0).Bytes(), R"({"status":"ok"})"), 2);
}

TEST(Connections, OddRequestsGetOddAnswers) {
  const MockProcess server;
  const auto ask = [&server](const std::string& text) {
    const RawClient client = RawClient::Tcp(server.port());
    client.Send(text);
    return client.Read(5.0).Bytes();
  };
  const std::string refused =
      "HTTP/1.1 400 Bad Request\r\nServer: llama.cpp\r\nConnection: close\r\n"
      "Content-Length: 0\r\n\r\n";
  EXPECT_EQ(ask("GET /health HTTP/1.1\r\nX-A: " + std::string(9'000, 'a') + "\r\n\r\n"), refused);
  std::string many = "GET /health HTTP/1.1\r\n";
  for (int i = 0; i < 110; ++i) many += "X-" + std::to_string(i) + ": a\r\n";
  EXPECT_EQ(ask(many + "\r\n"), refused);
  EXPECT_EQ(ask("NONSENSE\r\n\r\n"), refused);
  const std::string head = ask("HEAD /health HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(head.ends_with("Accept-Ranges: bytes\r\n\r\n"));
  const std::string options = ask("OPTIONS /any HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(Has(options, "Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS"));
  EXPECT_TRUE(Has(ask("GET /health HTTP/1.1\r\nOrigin: http://a.b\r\nConnection: close\r\n\r\n"),
                  "Access-Control-Allow-Origin: http://a.b\r\n"));
}

TEST(Connections, WaitForAnHttpThread) {
  const MockProcess server({"--threads-http", "2"});
  const RawClient first = RawClient::Tcp(server.port());
  const RawClient second = RawClient::Tcp(server.port());
  const RawClient third = RawClient::Tcp(server.port());
  const RawClient fourth = RawClient::Tcp(server.port());
  fourth.Send(HttpText("GET", "/health", "", "Connection: close\r\n"));
  EXPECT_EQ(fourth.Read(0.3).end, ReadEnd::kTimeout) << "two threads, and one more";
  ::shutdown(first.fd(), SHUT_RDWR);
  EXPECT_EQ(fourth.Read(5.0).Status(), 200);
}

TEST(Keys, WorkInEveryForm) {
  const MockProcess server({"--api-key", "one,two"});
  const auto status = [&server](const std::string& path, const std::string& header) {
    return Ask(server.port(), "GET", path, {}, header).Status();
  };
  EXPECT_EQ(status("/props", ""), 401);
  EXPECT_EQ(status("/nowhere", ""), 401);
  EXPECT_EQ(status("/health", ""), 200);
  EXPECT_EQ(status("/v1/health", ""), 200);
  EXPECT_EQ(status("/", ""), 404);
  EXPECT_EQ(status("/props", "Authorization: Bearer two\r\n"), 200);
  EXPECT_EQ(status("/props", "Authorization: one\r\n"), 200);
  EXPECT_EQ(status("/props", "X-Api-Key: one\r\n"), 200);
  EXPECT_EQ(status("/props", "Authorization: bearer one\r\n"), 401);
  EXPECT_EQ(status("/props", "Authorization: Bearer three\r\n"), 401);
  EXPECT_EQ(Ask(server.port(), "GET", "/props").Body(),
            R"({"error":{"message":"Invalid API Key","type":"authentication_error","code":401}})");
}

constexpr const char* kLongStream =
    R"({"prompt":"hello","n_predict":-1,"ignore_eos":true,"stream":true})";

TEST(Signals, IdleServersEndAtOnce) {
  MockProcess server;
  const Ns start = Now();
  server.Signal(SIGTERM);
  const auto ended = server.Wait(2.0);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 0);
  EXPECT_LT(Now() - start, 500 * kMillisecond);
  EXPECT_TRUE(Has(server.Log(), "operator(): operator(): cleaning up before exit..."));
}

TEST(Signals, StreamsHoldTheExitForAPingInterval) {
  MockProcess server({"--mock-token-ms", "5", "--sse-ping-interval", "1"});
  const RawClient client = RawClient::Tcp(server.port());
  client.Send(HttpText("POST", "/completion", kLongStream));
  (void)client.Read(5.0, "data:");
  const Ns start = Now();
  server.Signal(SIGTERM);
  const RawAnswer rest = client.Read(5.0);
  EXPECT_EQ(rest.end, ReadEnd::kClosed);
  EXPECT_TRUE(rest.Bytes().ends_with("3\r\n:\n\n\r\n")) << "a ping, and no end marker";
  const auto ended = server.Wait(3.0);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 0);
  EXPECT_GE(Now() - start, 900 * kMillisecond);
}

TEST(Signals, TheSecondEndsItAtOnce) {
  MockProcess server({"--mock-token-ms", "5"});
  const RawClient client = RawClient::Tcp(server.port());
  client.Send(HttpText("POST", "/completion", kLongStream));
  (void)client.Read(5.0, "data:");
  server.Signal(SIGTERM);
  ASSERT_TRUE(server.WaitForLog("cleaning up"));
  server.Signal(SIGTERM);
  const auto ended = server.Wait(2.0);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 1);
}

TEST(Signals, ClosedStreamsLetItGo) {
  MockProcess server({"--mock-token-ms", "5"});
  RawClient client = RawClient::Tcp(server.port());
  client.Send(HttpText("POST", "/completion", kLongStream));
  (void)client.Read(5.0, "data:");
  client.Close();
  server.Signal(SIGTERM);
  const auto ended = server.Wait(2.0);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 0);
}

TEST(Signals, DuringTheLoadTheyKill) {
  MockProcess server(WithoutWaiting({"--mock-load-ms", "60000"}));
  ASSERT_TRUE(server.WaitForLog("loading model"));
  server.Signal(SIGTERM);
  const auto ended = server.Wait(2.0);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->signal, SIGTERM);
}

TEST(Streams, ArePingedDuringALongPrefill) {
  const MockProcess server({"--mock-ttft-ms", "2500", "--sse-ping-interval", "1"});
  const RawAnswer answer =
      Ask(server.port(), "POST", "/completion", R"({"prompt":"a","n_predict":1,"stream":true})");
  const std::string body = answer.Body();
  EXPECT_TRUE(body.starts_with("3\r\n:\n\n\r\n3\r\n:\n\n\r\n")) << body.substr(0, 100);
  EXPECT_LT(answer.segments.front().at + 900 * kMillisecond, answer.segments.back().at);
  EXPECT_TRUE(Has(body, R"("stop":true)"));
}

TEST(Streams, DeferredOnesGetNoByteUntilTheyHaveASlot) {
  const MockProcess server({"-np", "1", "--mock-token-ms", "10"});
  const RawClient first = RawClient::Tcp(server.port());
  first.Send(HttpText("POST", "/completion",
                      R"({"prompt":"a","n_predict":40,"ignore_eos":true,"stream":true})"));
  (void)first.Read(5.0, "data:");
  const RawClient second = RawClient::Tcp(server.port());
  second.Send(HttpText("POST", "/completion", R"({"prompt":"a","n_predict":1,"stream":true})"));
  EXPECT_TRUE(second.Read(0.2).segments.empty());
  (void)first.Read(5.0);
  EXPECT_EQ(second.Read(5.0).Status(), 200);
}

TEST(Streams, CancelledOnesFreeTheirSlot) {
  const MockProcess server({"-np", "1", "--mock-token-ms", "2"});
  RawClient first = RawClient::Tcp(server.port());
  first.Send(HttpText("POST", "/completion", kLongStream));
  (void)first.Read(5.0, "data:");
  first.Close();
  const Ns start = Now();
  EXPECT_EQ(Ask(server.port(), "POST", "/completion", R"({"prompt":"a","n_predict":1})").Status(),
            200);
  EXPECT_LT(Now() - start, 500 * kMillisecond);
}

}  // namespace
}  // namespace mock::testing
