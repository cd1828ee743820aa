// SPDX-License-Identifier: EUPL-1.2
// The truth log: it says what a client saw, and the same seed gives the same log.
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mock_server/testing/fault_test_base.h"

namespace mock::testing {
namespace {

using Lines = std::vector<nlohmann::json>;

Lines ParseLog(const std::string& text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

Lines OfType(const Lines& lines, const std::string& type) {
  Lines found;
  for (const auto& line : lines) {
    if (line["type"] == type) found.push_back(line);
  }
  return found;
}

class Truth : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--mock-truth-log", folder_.File("truth.jsonl")});
    server_ = std::make_unique<MockProcess>(arguments);
  }
  Lines Stop() {
    server_->Signal(SIGTERM);
    EXPECT_TRUE(server_->Wait(5.0).has_value());
    return ParseLog(ReadWhole(folder_.File("truth.jsonl")));
  }

  TemporaryFolder folder_;
  std::unique_ptr<MockProcess> server_;
};

TEST_F(Truth, SaysWhatTheClientSaw) {
  Start({"--mock-ttft-ms", "20", "--mock-token-ms", "10"});
  const RawAnswer answer = Ask(server_->port(), "POST", "/completion",
                               R"({"prompt":"hello?","n_predict":12,"stream":true,"seed":77})",
                               "X-Request-Id: abc-1\r\n");
  const Lines log = Stop();
  EXPECT_EQ(log.front()["type"], "start");
  EXPECT_EQ(log.back()["type"], "end");
  const Lines received = OfType(log, "received");
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0]["client_id"], "abc-1");
  EXPECT_EQ(received[0]["seed"], 77);
  EXPECT_EQ(received[0]["endpoint"], "/completion");
  EXPECT_TRUE(received[0]["peer"].get<std::string>().starts_with("tcp:"));
  const Lines prefilled = OfType(log, "prefilled");
  ASSERT_EQ(prefilled.size(), 1U);
  EXPECT_EQ(prefilled[0]["prompt_tokens"], 7);
  const Lines chunks = OfType(log, "chunk");
  ASSERT_EQ(chunks.size(), 12U) << "one line a token, also for those that no event shows";
  // Events that were sent, against segments that came.
  std::vector<std::int64_t> sent;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_EQ(chunks[i]["sequence"], i);
    EXPECT_EQ(chunks[i]["tokens"], i + 1);
    EXPECT_GE(chunks[i]["sent_ns"].get<std::int64_t>(),
              chunks[i]["scheduled_ns"].get<std::int64_t>());
    if (chunks[i]["sent"].get<bool>()) sent.push_back(chunks[i]["sent_ns"]);
  }
  EXPECT_EQ(chunks[0]["ids"], nlohmann::json::array({198}));
  EXPECT_EQ(chunks[0]["sent"], false) << "half a character";
  EXPECT_EQ(sent.size(), 6U);
  std::vector<std::int64_t> seen;
  for (const Segment& segment : answer.segments) {
    if (Has(segment.bytes, R"("stop":false)")) seen.push_back(segment.at);
  }
  ASSERT_EQ(seen.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_GT(seen[i], sent[i]);
    EXPECT_LT(seen[i] - sent[i], 100 * kMillisecond);
  }
  const Lines finished = OfType(log, "finished");
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished[0]["tokens"], 12);
  EXPECT_EQ(finished[0]["reason"], "length");
}

TEST_F(Truth, NotesDisconnectsFailuresAndFaults) {
  Start({"--mock-token-ms", "5"});
  {
    const RawClient client = RawClient::Tcp(server_->port());
    client.Send(HttpText("POST", "/completion",
                         R"({"prompt":"a","n_predict":1000,"ignore_eos":true,"stream":true})"));
    (void)client.Read(5.0, "data:");
  }
  (void)Ask(server_->port(), "POST", "/completion", "{}");
  (void)Ask(server_->port(), "POST", "/mock/faults",
            R"({"rules":[{"fault":{"type":"end","token":2,"how":"reset"}}]})");
  (void)Ask(server_->port(), "POST", "/completion", R"({"prompt":"a","stream":true})");
  const Lines log = Stop();
  ASSERT_EQ(OfType(log, "disconnected").size(), 1U);
  EXPECT_EQ(OfType(log, "disconnected")[0]["request"], 0);
  ASSERT_EQ(OfType(log, "failed").size(), 1U);
  EXPECT_EQ(OfType(log, "failed")[0]["status"], 400);
  ASSERT_EQ(OfType(log, "fault").size(), 1U);
  EXPECT_EQ(OfType(log, "fault")[0]["fault"], "end");
  EXPECT_EQ(OfType(log, "fault")[0]["request"], 2);
}

TEST_F(Truth, IsWrittenBeforeAPlannedDeath) {
  Start({});
  (void)Ask(server_->port(), "POST", "/mock/faults",
            R"({"rules":[{"fault":{"type":"signal","signal":"SIGSEGV","token":4}}]})");
  (void)Ask(server_->port(), "POST", "/completion",
            R"({"prompt":"hello","n_predict":9,"stream":true})");
  ASSERT_EQ(server_->Wait(5.0)->signal, SIGSEGV);
  const Lines log = ParseLog(ReadWhole(folder_.File("truth.jsonl")));
  EXPECT_EQ(OfType(log, "chunk").size(), 3U);
  EXPECT_EQ(log.back()["type"], "end");
  EXPECT_EQ(log.back()["how"], "signal");
}

TEST_F(Truth, TellsWhenEventsLeaveTogether) {
  Start({"--mock-token-ms", "10", "--mock-events-per-write", "4"});
  const RawAnswer answer = Ask(server_->port(), "POST", "/completion",
                               R"({"prompt":"hello","n_predict":8,"stream":true})");
  EXPECT_EQ(Count(answer.Bytes(), R"("stop":false)"), 8);
  const Lines chunks = OfType(Stop(), "chunk");
  ASSERT_EQ(chunks.size(), 8U);
  const std::int64_t first = chunks[0]["sent_ns"];
  const std::int64_t last = chunks[3]["scheduled_ns"];
  EXPECT_GE(first, last) << "held until the fourth was due";
  EXPECT_LT(chunks[3]["sent_ns"].get<std::int64_t>() - first, 5 * kMillisecond);
}

TEST_F(Truth, CountsTokensInBigChunks) {
  Start({"--mock-tokens-per-chunk", "4"});
  const RawAnswer answer = Ask(server_->port(), "POST", "/completion",
                               R"({"prompt":"hello","n_predict":10,"stream":true})");
  EXPECT_TRUE(Has(answer.Bytes(),
                  R"("content":" w333 w334 w335 w336","tokens":[598,599,600,601],"stop":false)"));
  EXPECT_TRUE(Has(answer.Bytes(), R"("tokens_predicted":10)"));
  const Lines chunks = OfType(Stop(), "chunk");
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[2]["ids"].size(), 2U);
}

TEST_F(Truth, ReasoningComesFirstInAChat) {
  Start({"--mock-reasoning-tokens", "2"});
  const std::string body = R"({"messages":[{"role":"user","content":"hello"}],"max_tokens":4)";
  const std::string stream = Dechunk(
      Ask(server_->port(), "POST", "/v1/chat/completions", body + R"(,"stream":true})").Body());
  EXPECT_EQ(Count(stream, R"("reasoning_content":)"), 2);
  EXPECT_TRUE(Has(stream, R"("delta":{"content":" w335"})"));
  const std::string whole = Ask(server_->port(), "POST", "/v1/chat/completions", body + "}").Body();
  EXPECT_TRUE(Has(whole, R"("content":" w335 w336","reasoning_content":" w333 w334")")) << whole;
}

// What a client could see and the log could say, less the times.
std::string Timeless(const Lines& log) {
  std::string text;
  for (nlohmann::json line : log) {
    for (const char* key : {"at_ns", "sent_ns", "scheduled_ns", "pid", "peer"}) line.erase(key);
    text += line.dump() + "\n";
  }
  return text;
}

TEST_F(Truth, TheSameSeedGivesTheSameLogAndBytes) {
  const auto run = [this](const std::string& seed) {
    Start({"--mock-seed", seed, "--mock-preset", "tiny-cpu", "--mock-jitter", "lognormal:0.3"});
    (void)Ask(server_->port(), "POST", "/mock/faults",
              R"({"rules":[{"when":{"probability":0.3},"fault":{"type":"end","token":3}}]})");
    std::string bytes;
    for (int i = 0; i < 20; ++i) {
      bytes += Ask(server_->port(), "POST", "/completion",
                   R"({"prompt":"hello )" + std::to_string(i) + R"(","n_predict":6,"stream":true})")
                   .Bytes();
      bytes += Ask(server_->port(), "POST", "/completion", R"({"prompt":"hello!","n_predict":9})")
                   .Bytes();
    }
    return std::pair(bytes, Timeless(Stop()));
  };
  const auto [bytes, log] = run("11");
  const auto [same_bytes, same_log] = run("11");
  const auto [other_bytes, other_log] = run("12");
  EXPECT_EQ(log, same_log);
  EXPECT_EQ(bytes, same_bytes) << "with the server's own timings in it";
  EXPECT_NE(log, other_log);
  EXPECT_NE(bytes, other_bytes);
}

}  // namespace
}  // namespace mock::testing
