// SPDX-License-Identifier: EUPL-1.2
// Faults inside a streamed completion, as a plain client sees them.
#include <csignal>

#include "mock_server/testing/fault_test_base.h"

namespace mock::testing {
namespace {

using StreamFaults = FaultTest;

// The stream up to where its framing makes sense.
std::string Payload(const RawAnswer& answer, bool* complete = nullptr) {
  return Dechunk(answer.Body(), complete);
}

TEST_F(StreamFaults, WithoutAnyTheStreamIsWhole) {
  bool complete = false;
  const std::string payload = Payload(Completion(), &complete);
  EXPECT_TRUE(complete);
  EXPECT_TRUE(payload.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(Count(payload, "data: "), 7);
}

TEST_F(StreamFaults, StallBeforeTheFirstToken) {
  Plan(R"({"type":"stall","token":1,"ms":200})");
  const RawAnswer answer = Native();
  const Ns head = answer.segments.front().at;
  EXPECT_FALSE(Has(answer.segments.front().bytes, "data:")) << "the head comes first, alone";
  ASSERT_GT(answer.segments.size(), 1U);
  EXPECT_GE(answer.segments[1].at - head, 180 * kMillisecond);
  EXPECT_TRUE(Has(answer.Body(), R"("stop":true)"));
}

TEST_F(StreamFaults, StallInMidStream) {
  Plan(R"({"type":"stall","token":3,"ms":200})");
  const RawAnswer answer = Native();
  Ns before = 0;
  Ns after = 0;
  for (const Segment& segment : answer.segments) {
    if (Has(segment.bytes, " w334")) before = segment.at;
    if (Has(segment.bytes, " w335")) after = segment.at;
  }
  EXPECT_GE(after - before, 180 * kMillisecond);
  bool complete = false;
  (void)Payload(answer, &complete);
  EXPECT_TRUE(complete);
}

TEST_F(StreamFaults, StallForEver) {
  Plan(R"({"type":"stall","token":3})");
  const RawAnswer answer = Native(5, 0.4);
  EXPECT_EQ(answer.end, ReadEnd::kTimeout);
  EXPECT_TRUE(Has(answer.Body(), " w334"));
  EXPECT_FALSE(Has(answer.Body(), " w335"));
}

TEST_F(StreamFaults, EndInMidStream) {
  Plan(R"({"type":"end","token":3,"how":"close"})");
  RawAnswer answer = Native();
  EXPECT_EQ(answer.end, ReadEnd::kClosed);
  bool complete = true;
  EXPECT_EQ(Count(Payload(answer, &complete), "data: "), 2);
  EXPECT_FALSE(complete);
  Plan(R"({"type":"end","token":3,"how":"reset"})");
  answer = Native();
  EXPECT_EQ(answer.end, ReadEnd::kReset);
}

TEST_F(StreamFaults, TruncatedChunk) {
  Plan(R"({"type":"truncated-chunk","token":2})");
  const RawAnswer answer = Native();
  EXPECT_EQ(answer.end, ReadEnd::kClosed);
  bool complete = true;
  const std::string payload = Payload(answer, &complete);
  EXPECT_FALSE(complete);
  EXPECT_FALSE(payload.ends_with("\n\n"));
  EXPECT_EQ(Count(payload, "data: "), 2);
}

TEST_F(StreamFaults, FalseChunkSizes) {
  for (const char* size : {"-5", "FFFFFFFFFFFFFFFF", "zz", "1 ; ext=\\\"x\\\""}) {
    SCOPED_TRACE(size);
    Plan(std::string(R"({"type":"chunk-size","token":2,"value":")") + size + "\"}");
    const std::string body = Native().Body();
    const std::string shown = std::string(size).starts_with("1 ") ? "1 ; ext=\"x\"" : size;
    EXPECT_TRUE(Has(body, "\r\n" + shown + "\r\ndata: "));
  }
}

TEST_F(StreamFaults, MissingEndMarkers) {
  Plan(R"({"type":"no-last-chunk"})");
  bool complete = true;
  EXPECT_TRUE(Payload(Completion(), &complete).ends_with("data: [DONE]\n\n"));
  EXPECT_FALSE(complete);
  Plan(R"({"type":"no-done"})");
  std::string payload = Payload(Completion(), &complete);
  EXPECT_TRUE(complete);
  EXPECT_FALSE(Has(payload, "[DONE]"));
  EXPECT_TRUE(Has(payload, R"("finish_reason":"length")"));
  Plan(R"({"type":"no-finish"})");
  payload = Payload(Native(), &complete);
  EXPECT_TRUE(complete);
  EXPECT_FALSE(Has(payload, R"("stop":true)"));
  EXPECT_EQ(Count(payload, "data: "), 5);
}

TEST_F(StreamFaults, ErrorEventsInBothForms) {
  Plan(R"({"type":"error-event","token":3,"form":"data"})");
  bool complete = false;
  std::string payload = Payload(Completion(), &complete);
  EXPECT_TRUE(complete);
  EXPECT_TRUE(payload.ends_with(
      R"(data: {"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}})"
      "\n\n"));
  Plan(R"({"type":"error-event","token":3,"form":"error","code":503,"message":"gone"})");
  payload = Payload(Completion(), &complete);
  EXPECT_TRUE(payload.ends_with(R"(error: {"code":503,"message":"gone","type":"server_error"})"
                                "\n\ndata: [DONE]\n\n"));
}

TEST_F(StreamFaults, EndlessLineAndEvents) {
  for (const char* type : {"endless-line", "endless-events"}) {
    SCOPED_TRACE(type);
    Plan(std::string(R"({"type":")") + type + R"(","token":2,"mib":3})");
    const RawClient client = RawClient::Tcp(port());
    client.Send(HttpText("POST", "/completion", Body()));
    const RawAnswer answer = client.Read(10.0);
    EXPECT_EQ(answer.end, ReadEnd::kClosed);
    const std::string payload = Payload(answer);
    EXPECT_GT(payload.size(), 2U << 20U);
    if (std::string(type) == "endless-line") {
      EXPECT_EQ(Count(payload, "\n"), 2);
    } else {
      EXPECT_GT(Count(payload, "data: "), 10'000);
    }
  }
}

TEST_F(StreamFaults, DeepInvalidAndBrokenTexts) {
  Plan(R"({"type":"deep-json","token":2,"depth":100000})");
  EXPECT_TRUE(Has(Payload(Native()), "data: " + std::string(100'000, '[')));
  Plan(R"({"type":"invalid-utf8","token":2})");
  EXPECT_TRUE(Has(Payload(Native()), "\xC3\x28 \xFF\xFE"));
  Plan(R"({"type":"invalid-json","token":2})");
  EXPECT_TRUE(Has(Payload(Native()), "data: {\"content\":\" w333\n\n"));
}

TEST_F(StreamFaults, LineEndsMarksCommentsAndFields) {
  Plan(R"({"type":"newlines","style":"crlf"})");
  std::string payload = Payload(Completion());
  EXPECT_TRUE(payload.ends_with("data: [DONE]\r\n\r\n"));
  EXPECT_EQ(Count(payload, "\n"), Count(payload, "\r\n"));
  Plan(R"({"type":"newlines","style":"cr"})");
  payload = Payload(Completion());
  EXPECT_TRUE(payload.ends_with("data: [DONE]\r\r"));
  EXPECT_FALSE(Has(payload, "\n"));
  Plan(R"({"type":"bom"})");
  payload = Payload(Completion());
  EXPECT_TRUE(
      payload.starts_with("\xEF\xBB\xBF"
                          "data: "));
  EXPECT_EQ(Count(payload, "\xEF\xBB\xBF"), 1);
  Plan(R"({"type":"comments","text":"hello"})");
  payload = Payload(Completion());
  EXPECT_EQ(Count(payload, ": hello\ndata: "), 7);
  Plan(R"({"type":"fields","event":"message","id":"7","retry":100})");
  EXPECT_TRUE(Payload(Completion()).starts_with("event: message\nid: 7\nretry: 100\ndata: {"));
  Plan(R"({"type":"multi-line"})");
  EXPECT_TRUE(Payload(Completion()).starts_with("data: {\ndata: \"choices\""));
}

TEST_F(StreamFaults, UsageMissingOrWrong) {
  Plan(R"({"type":"usage","mode":"missing"})");
  std::string payload = Payload(Completion());
  EXPECT_FALSE(Has(payload, "usage"));
  EXPECT_FALSE(Has(payload, "timings"));
  EXPECT_TRUE(Has(payload, R"("finish_reason":"length")"));
  payload = Payload(Chat());
  EXPECT_FALSE(Has(payload, "usage"));
  EXPECT_FALSE(Has(payload, R"("choices":[])"));
  Plan(R"({"type":"usage","mode":"wrong"})");
  EXPECT_TRUE(Has(Payload(Completion()), R"("completion_tokens":1000000)"));
  EXPECT_TRUE(Has(Payload(Native()), R"("tokens_predicted":1000000)"));
}

TEST_F(StreamFaults, RoleChunkEarly) {
  PlanScript(
      R"({"rules":[{"fault":{"type":"role-early"}},{"fault":{"type":"stall","token":1,"ms":150}}]})");
  const RawAnswer answer = Chat();
  Ns role = 0;
  Ns token = 0;
  for (const Segment& segment : answer.segments) {
    if (role == 0 && Has(segment.bytes, R"("role":"assistant")")) role = segment.at;
    if (token == 0 && Has(segment.bytes, " w333")) token = segment.at;
  }
  EXPECT_GT(role, 0);
  EXPECT_GE(token - role, 120 * kMillisecond);
}

TEST_F(StreamFaults, WrongToken) {
  Plan(R"({"type":"wrong-token","token":2,"id":700,"text":" oops"})");
  const std::string payload = Payload(Native());
  EXPECT_TRUE(Has(payload, R"("content":" oops","tokens":[700])"));
  EXPECT_FALSE(Has(payload, " w334"));
  EXPECT_TRUE(Has(payload, " w335"));
}

TEST_F(StreamFaults, WrongTokensToTheEnd) {
  Plan(R"({"type":"wrong-token","token":2,"tokens":-1,"id":700,"text":" oops"})");
  const std::string payload = Payload(Native());
  EXPECT_TRUE(Has(payload, " w333"));
  EXPECT_FALSE(Has(payload, " w334"));
  EXPECT_FALSE(Has(payload, " w335"));
}

TEST_F(StreamFaults, EventsTogether) {
  Plan(R"({"type":"coalesce","events":3})");
  const std::string body = Native().Body();
  const std::size_t first = std::strtoull(body.c_str(), nullptr, 16);
  EXPECT_EQ(Count(body.substr(0, first + 4), "data: "), 3);
}

TEST_F(StreamFaults, TheProcessEndsAtAToken) {
  struct Case {
    const char* fault;
    int code;
    int signal;
  };
  for (const Case& each :
       {Case{R"({"type":"exit","code":9,"token":3})", 9, 0},
        Case{R"({"type":"signal","signal":"SIGSEGV","token":3})", -1, SIGSEGV},
        Case{R"({"type":"signal","signal":"SIGABRT","token":3})", -1, SIGABRT}}) {
    SCOPED_TRACE(each.fault);
    Start();
    Plan(each.fault);
    const RawAnswer answer = Native();
    EXPECT_TRUE(Has(answer.Body(), " w334"));
    EXPECT_FALSE(Has(answer.Body(), " w335"));
    const auto ended = server_->Wait(5.0);
    ASSERT_TRUE(ended.has_value());
    EXPECT_EQ(ended->code, each.code);
    EXPECT_EQ(ended->signal, each.signal);
  }
}

TEST_F(StreamFaults, TheProcessEndsAtAMoment) {
  for (const std::string at : {"received", "slot", "prefilled"}) {
    SCOPED_TRACE(at);
    Start();
    Plan(R"({"type":"exit","code":4,"at":")" + at + "\"}");
    const RawAnswer answer = Native();
    EXPECT_EQ(answer.segments.empty(), at == "received");
    EXPECT_FALSE(Has(answer.Body(), "data:"));
    const auto ended = server_->Wait(5.0);
    ASSERT_TRUE(ended.has_value());
    EXPECT_EQ(ended->code, 4);
  }
}

TEST_F(StreamFaults, TheServerFreezes) {
  Plan(R"({"type":"freeze","ms":1000,"token":2})");
  const RawClient client = RawClient::Tcp(port());
  client.Send(HttpText("POST", "/completion", Body()));
  (void)client.Read(5.0, " w333");
  // The first answers may come before the second token does.
  Ns slowest = 0;
  for (const Ns start = Now();
       slowest < 150 * kMillisecond && Now() - start < 5'000 * kMillisecond;) {
    const Ns asked = Now();
    EXPECT_EQ(Ask(port(), "GET", "/health").Status(), 200);
    slowest = std::max(slowest, Now() - asked);
  }
  EXPECT_GE(slowest, 150 * kMillisecond);
}

}  // namespace
}  // namespace mock::testing
