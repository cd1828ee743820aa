// SPDX-License-Identifier: EUPL-1.2
// Faults that replace an answer or change its bytes on the way, as a plain client sees them.
#include <array>
#include <cstdio>
#include <cstdlib>

#include "mock_server/testing/fault_test_base.h"

namespace mock::testing {
namespace {

using AnswerFaults = FaultTest;

TEST_F(AnswerFaults, StatusCodes) {
  for (const int code : {400, 401, 403, 404, 408, 413, 422, 429, 500, 501, 502, 503, 504}) {
    SCOPED_TRACE(code);
    Plan(R"({"type":"status","code":)" + std::to_string(code) + "}");
    const RawAnswer answer = Native();
    EXPECT_EQ(answer.Status(), code);
    EXPECT_TRUE(Has(answer.Body(), R"({"error":{"code":)" + std::to_string(code)));
    EXPECT_FALSE(Has(answer.Head(), "Retry-After"));
    EXPECT_TRUE(Has(answer.Head(), "Connection: close"));
  }
}

TEST_F(AnswerFaults, RetryAfterAndHeadersAndBody) {
  Plan(
      R"({"type":"status","code":429,"retry_after":"3","body":"slow down","content_type":"text/plain",)"
      R"("headers":{"X-Limit":"7"}})");
  const RawAnswer answer = Native();
  EXPECT_EQ(answer.Status(), 429);
  EXPECT_TRUE(Has(answer.Head(), "\r\nRetry-After: 3\r\n"));
  EXPECT_TRUE(Has(answer.Head(), "\r\nX-Limit: 7\r\n"));
  EXPECT_TRUE(Has(answer.Head(), "\r\nContent-Type: text/plain\r\n"));
  EXPECT_EQ(answer.Body(), "slow down");
}

TEST_F(AnswerFaults, HtmlBody) {
  Plan(R"({"type":"html","code":502})");
  const RawAnswer answer = Chat();
  EXPECT_EQ(answer.Status(), 502);
  EXPECT_TRUE(Has(answer.Head(), "Content-Type: text/html"));
  EXPECT_TRUE(answer.Body().starts_with("<!DOCTYPE html>"));
}

std::string RunCurl(const std::string& arguments) {
  const std::string command = "curl -s -S -m 5 " + arguments + " 2>&1";
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), got);
  }
  ::pclose(pipe);
  return output;
}

TEST_F(AnswerFaults, CurlUnpacksGzip) {
  Plan(R"({"type":"gzip"})");
  const RawAnswer answer = Native();
  EXPECT_TRUE(Has(answer.Head(), "Content-Encoding: gzip"));
  EXPECT_TRUE(answer.Body().starts_with("\x1F\x8B"));
  const std::string url = "http://127.0.0.1:" + std::to_string(port()) + "/completion";
  EXPECT_EQ(RunCurl("--compressed -d '{}' " + url),
            R"({"content":" w333","stop":true,"tokens_predicted":1})");
}

TEST_F(AnswerFaults, CurlFollowsTheRedirectLoopUntilItGivesUp) {
  Plan(R"({"type":"redirect","code":307})", R"({"endpoint":"*"})");
  const RawAnswer answer = Native();
  EXPECT_EQ(answer.Status(), 307);
  EXPECT_TRUE(Has(answer.Head(), "\r\nLocation: /completion\r\n"));
  const std::string url = "http://127.0.0.1:" + std::to_string(port()) + "/completion";
  EXPECT_TRUE(Has(RunCurl("-L --max-redirs 5 -d '{}' " + url), "Maximum (5) redirects followed"));
}

TEST_F(AnswerFaults, RedirectElsewhere) {
  Plan(R"({"type":"redirect","code":302,"location":"/health"})");
  EXPECT_TRUE(Has(Native().Head(), "Location: /health"));
}

TEST_F(AnswerFaults, EndlessHeadersLineAndBody) {
  for (const char* type : {"endless-headers", "endless-header-line", "endless-body"}) {
    SCOPED_TRACE(type);
    Plan(std::string(R"({"type":")") + type + R"(","mib":3})");
    const RawClient client = RawClient::Tcp(port());
    client.Send(HttpText("POST", "/completion", Body()));
    const RawAnswer answer = client.Read(10.0);
    EXPECT_EQ(answer.end, ReadEnd::kClosed);
    EXPECT_GE(answer.Bytes().size(), 3U << 20U);
    if (std::string(type) != "endless-body") {
      EXPECT_TRUE(answer.Head().empty());
    }
    if (std::string(type) == "endless-header-line") {
      EXPECT_EQ(Count(answer.Bytes(), "\r\n"), 2);
    }
  }
}

TEST_F(AnswerFaults, RawBytes) {
  Plan(R"({"type":"raw","bytes":"SSH-2.0-OpenSSH_9.2\r\n"})");
  EXPECT_EQ(Native().Bytes(), "SSH-2.0-OpenSSH_9.2\r\n");
  Plan(R"({"type":"raw","base64":"//4A/w==","ending":"reset"})");
  const RawAnswer answer = Native();
  EXPECT_EQ(answer.end, ReadEnd::kReset);
}

TEST_F(AnswerFaults, WrongContentType) {
  Plan(R"({"type":"content-type","content_type":"text/plain"})");
  const RawAnswer answer = Native();
  EXPECT_TRUE(Has(answer.Head(), "\r\nContent-Type: text/plain\r\n"));
  EXPECT_FALSE(Has(answer.Head(), "text/event-stream"));
  EXPECT_TRUE(Has(answer.Body(), " w333"));
}

TEST_F(AnswerFaults, AddedHeaderAndFalseLength) {
  PlanScript(R"({"rules":[{"fault":{"type":"header","name":"Server","value":"other"}},)"
             R"({"fault":{"type":"content-length","add":10}}]})");
  const RawAnswer answer = Ask(port(), "POST", "/completion", Body(2, false), {}, 0.5);
  EXPECT_TRUE(Has(answer.Head(), "\r\nServer: other\r\n"));
  const std::string head = answer.Head();
  const int length = std::atoi(head.c_str() + head.find("Content-Length: ") + 16);
  EXPECT_EQ(length, static_cast<int>(answer.Body().size()) + 10);
}

TEST_F(AnswerFaults, DelayBeforeHeaders) {
  Plan(R"({"type":"delay","ms":150})");
  const Ns start = Now();
  const RawAnswer answer = Native();
  ASSERT_FALSE(answer.segments.empty());
  EXPECT_GE(answer.segments.front().at - start, 150 * kMillisecond);
  EXPECT_TRUE(Has(answer.Body(), R"("stop":true)"));
}

TEST_F(AnswerFaults, SilenceForEver) {
  Plan(R"({"type":"delay","ms":-1})", R"({"endpoint":"/health"})");
  const RawAnswer answer = Ask(port(), "GET", "/health", {}, {}, 0.3);
  EXPECT_EQ(answer.end, ReadEnd::kTimeout);
  EXPECT_TRUE(answer.segments.empty());
  EXPECT_EQ(Native().Status(), 200) << "other endpoints still answer";
}

TEST_F(AnswerFaults, OneByteAtATime) {
  Plan(R"({"type":"drip","bytes":1,"interval_ms":5})", R"({"endpoint":"/health"})");
  const RawClient client = RawClient::Tcp(port());
  const Ns start = Now();
  client.Send(HttpText("GET", "/health", ""));
  const RawAnswer answer = client.Read(10.0, R"("ok"})");
  const std::string bytes = answer.Bytes();
  EXPECT_TRUE(Has(bytes, R"({"status":"ok"})"));
  EXPECT_GE(answer.segments.back().at - start,
            static_cast<Ns>(bytes.size() - 1) * 5 * kMillisecond);
  EXPECT_GE(answer.segments.size(), bytes.size() * 9 / 10);
}

TEST_F(AnswerFaults, SplitWhereAsked) {
  Plan(R"({"type":"split","at":[7,40,41],"gap_ms":20})", R"({"endpoint":"/health"})");
  const RawClient client = RawClient::Tcp(port());
  client.Send(HttpText("GET", "/health", ""));
  const RawAnswer answer = client.Read(5.0, R"("ok"})");
  ASSERT_EQ(answer.segments.size(), 4U);
  EXPECT_EQ(answer.segments[0].bytes.size(), 7U);
  EXPECT_EQ(answer.segments[1].bytes.size(), 33U);
  EXPECT_EQ(answer.segments[2].bytes.size(), 1U);
}

TEST_F(AnswerFaults, CutAtEveryOffset) {
  const std::size_t whole = Native().Bytes().size();
  ASSERT_GT(whole, 2'000U);
  const bool soak = std::getenv("ROCM_SOAK") != nullptr;
  for (std::size_t offset = 0; offset < whole; offset += soak ? 1 : 29) {
    SCOPED_TRACE(offset);
    Plan(R"({"type":"cut","how":"close","after_bytes":)" + std::to_string(offset) + "}");
    const RawAnswer answer = Native();
    ASSERT_EQ(answer.end, ReadEnd::kClosed);
    // Its last event states times, whose digits are more or fewer than in the first answer.
    if (offset + 64 > whole && answer.Bytes().ends_with("\r\n0\r\n\r\n")) break;
    ASSERT_EQ(answer.Bytes().size(), offset);
  }
}

TEST_F(AnswerFaults, CutByResetOrSilence) {
  Plan(R"({"type":"cut","how":"reset","after_bytes":300})");
  EXPECT_EQ(Native().end, ReadEnd::kReset);
  Plan(R"({"type":"cut","how":"stall","after_bytes":300})");
  const RawAnswer stalled = Native(5, 0.3);
  EXPECT_EQ(stalled.end, ReadEnd::kTimeout);
  EXPECT_EQ(stalled.Bytes().size(), 300U);
}

TEST_F(AnswerFaults, CutByDeath) {
  Plan(R"({"type":"cut","how":"SIGKILL","after_bytes":300})");
  const RawAnswer answer = Native();
  EXPECT_EQ(answer.Bytes().size(), 300U);
  const auto ended = server_->Wait(5.0);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->signal, SIGKILL);
}

TEST_F(AnswerFaults, RulesChooseRequests) {
  const auto statuses = [this](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += Native(1).Status() == 200 ? '.' : 'x';
    return list;
  };
  Plan(R"({"type":"status"})", R"({"requests":[1,3]})");
  EXPECT_EQ(statuses(5), ".x.x.");
  Plan(R"({"type":"status"})", R"({"every":3})");
  EXPECT_EQ(statuses(7), "x..x..x");
  Plan(R"({"type":"status"})", R"({"from":2})");
  EXPECT_EQ(statuses(4), "..xx");
  PlanScript(R"({"rules":[{"times":2,"fault":{"type":"status"}}]})");
  EXPECT_EQ(statuses(4), "xx..");
  Plan(R"({"type":"status"})", R"({"endpoint":"/v1/chat/completions"})");
  EXPECT_EQ(statuses(2), "..");
  EXPECT_EQ(Chat().Status(), 503);
}

TEST_F(AnswerFaults, ProbabilityFollowsItsSeed) {
  const auto strikes = [this](int seed) {
    PlanScript(R"({"seed":)" + std::to_string(seed) +
               R"(,"rules":[{"when":{"probability":0.4},"fault":{"type":"status"}}]})");
    std::string list;
    for (int i = 0; i < 40; ++i) list += Native(1).Status() == 200 ? '.' : 'x';
    return list;
  };
  const std::string first = strikes(7);
  EXPECT_EQ(strikes(7), first);
  EXPECT_NE(strikes(8), first);
  EXPECT_GT(Count(first, "x"), 5);
  EXPECT_LT(Count(first, "x"), 30);
}

TEST_F(AnswerFaults, TheBookIsShownAndClearedAndChecked) {
  Plan(R"({"type":"status"})");
  EXPECT_EQ(Native().Status(), 503);
  const std::string shown = Ask(port(), "GET", "/mock/faults").Body();
  EXPECT_EQ(shown, R"({"rules":[{"fault":{"type":"status"},"seen":1,"struck":1}]})");
  EXPECT_EQ(Ask(port(), "DELETE", "/mock/faults").Status(), 200);
  EXPECT_EQ(Native().Status(), 200);
  for (const auto& [script, reason] : std::vector<std::pair<std::string, std::string>>{
           {R"({"rules":[{"fault":{"type":"nonsense"}}]})", "unknown fault type 'nonsense'"},
           {R"({"rules":[{"fault":{"type":"status","kode":1}}]})", "no member 'kode'"},
           {R"({"rules":[{"fault":{"type":"status","code":"a"}}]})", "'code' has the wrong type"},
           {R"({"rules":[{"when":{"odd":1},"fault":{"type":"status"}}]})", "unknown member 'odd'"},
           {R"({"rules":[{"fault":{"type":"bind-failure"}}]})", "belongs under"},
           {R"({"rools":[]})", "unknown member 'rools'"},
           {R"({"rules":[{}]})", "has no"},
           {"nonsense", "parse error"}}) {
    SCOPED_TRACE(script);
    const RawAnswer answer = Ask(port(), "POST", "/mock/faults", script);
    EXPECT_EQ(answer.Status(), 400);
    EXPECT_TRUE(Has(answer.Body(), reason)) << answer.Body();
  }
}

}  // namespace
}  // namespace mock::testing
