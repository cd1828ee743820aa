// SPDX-License-Identifier: EUPL-1.2
// Runs against servers that are not ours: a plain OpenAI-compatible one, and a llama-server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <set>
#include <thread>

#include "harness/cli/bench_process.h"
#include "harness/cli/foreign_mock.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Scenario(const std::string& api) {
  return R"({"schema": 1, "name": "plain", "why": "Someone else's server.", "kind": "load",
    "timing": "unjudged",
    "workload": {"api": ")" +
         api + R"(", "prompt": {"text": "Hello"}, "output_tokens": {"max": 8}},
    "stages": [{"name": "all", "closed_loop": {"concurrency": 2}, "requests": 6}],
    "expect": [{"metric": "requests_failed", "op": "==", "value": 0}]})";
}

std::string Chunk(const json& choice) {
  return "data: " +
         json{{"id", "x"}, {"object", "chat.completion.chunk"}, {"choices", {choice}}}.dump() +
         "\n\n";
}

// Speaks what OpenAI documents and nothing of llama-server's: role chunk, words, a reason, [DONE].
class PlainServer {
 public:
  explicit PlainServer(bool usage) {
    // One thread: the library's own statics are shared without its being instrumented.
    server_.new_task_queue = [] { return new httplib::ThreadPool(1); };
    server_.Get("/v1/models", [](const httplib::Request&, httplib::Response& reply) {
      reply.set_content(R"({"object":"list","data":[{"id":"plain-1","object":"model"}]})",
                        "application/json");
    });
    server_.Post("/v1/chat/completions", [this, usage](const httplib::Request& request,
                                                       httplib::Response& reply) {
      // Its validation is strict: a field that OpenAI does not have is an error.
      const json body = json::parse(request.body);
      for (const char* foreign : {"ignore_eos", "cache_prompt", "return_tokens", "id_slot",
                                  "timings_per_token", "verbose"}) {
        if (body.contains(foreign)) ++foreign_fields_;
      }
      if (body.value("model", "") != "plain-1") ++foreign_fields_;
      reply.set_chunked_content_provider(
          "text/event-stream", [usage](std::size_t, httplib::DataSink& sink) {
            std::string text = Chunk({{"index", 0}, {"delta", {{"role", "assistant"}}}});
            for (const char* word : {"one", " two", " three"}) {
              text += Chunk({{"index", 0}, {"delta", {{"content", word}}}});
            }
            text += Chunk({{"index", 0}, {"delta", json::object()}, {"finish_reason", "stop"}});
            if (usage) {
              text +=
                  "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,"
                  "\"completion_tokens\":5,\"total_tokens\":9}}\n\n";
            }
            text += "data: [DONE]\n\n";
            sink.write(text.data(), text.size());
            sink.done();
            return true;
          });
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~PlainServer() {
    // stop() before the loop runs is forgotten; an answered call proves that it does.
    httplib::Client client("127.0.0.1", port_);
    EXPECT_TRUE(client.Get("/v1/models"));
    server_.stop();
    thread_.join();
  }
  PlainServer(const PlainServer&) = delete;
  PlainServer& operator=(const PlainServer&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int foreign_fields() const { return foreign_fields_; }

 private:
  httplib::Server server_;
  std::thread thread_;
  std::atomic<int> foreign_fields_{0};
  int port_ = 0;
};

struct Seen {
  int exit = -1;
  std::string out;
  std::vector<json> lines;
};

Seen RunPlain(const std::string& api, const std::string& target) {
  const ScratchFolder folder;
  BenchProcess bench({"run", folder.Write("plain.json", Scenario(api)), "--target", target, "--out",
                      folder.At(""), "--quiet"});
  Seen seen;
  seen.exit = bench.Wait();
  seen.out = bench.out() + bench.err();
  const std::string file = folder.RunFile();
  if (!file.empty()) seen.lines = ReadLines(file);
  return seen;
}

TEST(Attached, APlainServerGetsNothingButOpenAIsOwnFields) {
  const PlainServer server(true);
  const Seen seen = RunPlain("chat", server.url());
  EXPECT_EQ(seen.exit, 0) << seen.out;
  EXPECT_EQ(server.foreign_fields(), 0);
  const auto requests = OfType(seen.lines, "request");
  ASSERT_EQ(requests.size(), 6u);
  for (const json& request : requests) {
    EXPECT_EQ(request["outcome"], "ok");
    EXPECT_EQ(request["token_source"], "usage");
    EXPECT_EQ(request["tokens"], 5);  // its own count, not ours of the chunks
    EXPECT_EQ(request["prompt_tokens"], 4);
    EXPECT_EQ(request["chunks"].size(), 3u);  // the role is no token
  }
}

TEST(Attached, WithoutUsageTheChunksAreCountedAndThatIsSaid) {
  const PlainServer server(false);
  const Seen seen = RunPlain("chat", server.url());
  EXPECT_EQ(seen.exit, 0) << seen.out;
  const auto requests = OfType(seen.lines, "request");
  ASSERT_EQ(requests.size(), 6u);
  for (const json& request : requests) {
    EXPECT_EQ(request["token_source"], "chunks");
    EXPECT_EQ(request["tokens"], 3);
  }
}

// Run files are shared.
TEST(Attached, TheKeyIsNotInTheRunFile) {
  PlainServer server(true);
  for (const std::vector<std::string>& key :
       {std::vector<std::string>{"--api-key", "sesame"}, {"--api-key=sesame"}}) {
    const ScratchFolder folder;
    std::vector<std::string> arguments{"run",      folder.Write("plain.json", Scenario("chat")),
                                       "--target", server.url(),
                                       "--out",    folder.At(""),
                                       "--quiet"};
    arguments.insert(arguments.end(), key.begin(), key.end());
    BenchProcess bench(arguments);
    EXPECT_EQ(bench.Wait(), 0) << bench.err();
    const std::string text = ReadAll(folder.RunFile());
    EXPECT_THAT(text, ::testing::HasSubstr("--api-key"));
    EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("sesame")));
  }
}

TEST(Attached, WhatOnlyLlamaServerHasIsMarkedNotAvailable) {
  const PlainServer server(true);
  const Seen seen = RunPlain("chat", server.url());
  bool said = false;
  for (const json& event : OfType(seen.lines, "event")) {
    if (event["event"] != "server_started") continue;
    said = event.dump().find("no /tokenize") != std::string::npos;
  }
  EXPECT_TRUE(said);
}

TEST(Attached, ANativeScenarioNeedsALlamaServer) {
  const PlainServer server(true);
  const Seen seen = RunPlain("native", server.url());
  EXPECT_NE(seen.exit, 0);
  EXPECT_THAT(seen.out, HasSubstr("llama-server"));
}

TEST(Attached, ALlamaServerIsMeasuredAndLeftAlone) {
  const ScratchFolder folder;
  const ForeignMock server(folder, "m");
  const Seen seen = RunPlain("native", server.url());
  EXPECT_EQ(seen.exit, 0) << seen.out;
  const auto requests = OfType(seen.lines, "request");
  ASSERT_EQ(requests.size(), 6u);
  for (const json& request : requests) {
    EXPECT_EQ(request["token_source"], "ids");
    EXPECT_EQ(request["tokens"], 8);
  }
  EXPECT_TRUE(server.alive());
}

// RST is TCP's: the servers that a run starts ride on Unix sockets, which know none.
TEST(Attached, AResetConnectionIsToldFromATruncatedStream) {
  const ScratchFolder folder;
  const auto outcomes = [&](const std::string& how) {
    const std::string faults = folder.Write(how + ".json", R"({"rules": [{"fault":
      {"type": "end", "token": 3, "how": ")" + how + R"("}}]})");
    const ForeignMock server(folder, how, ForeignMock::Socket::kTcp, {"--mock-faults", faults});
    const Seen seen = RunPlain("native", server.url());
    EXPECT_EQ(seen.exit, 1) << seen.out;
    std::set<std::string> classes;
    for (const json& request : OfType(seen.lines, "request")) classes.insert(request["outcome"]);
    return classes;
  };
  EXPECT_THAT(outcomes("reset"), ElementsAre("connection_reset"));
  EXPECT_THAT(outcomes("close"), ElementsAre("truncated"));
}

TEST(Attached, ATargetThatIsNotThereIsABackendFailure) {
  const ScratchFolder folder;
  const Seen seen = RunPlain("native", "unix:" + folder.At("none.sock"));
  EXPECT_EQ(seen.exit, 3);
  EXPECT_THAT(seen.out, HasSubstr("none.sock"));
}

}  // namespace
}  // namespace harness::testing
