// SPDX-License-Identifier: EUPL-1.2
// Servers that break: one class for every fault, and never a success that is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "backend/http/stream_testing.h"

namespace rocm::http {
namespace {

using namespace std::chrono_literals;
using wire::Api;

std::string Reply(std::string_view status, std::string_view headers, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
         std::string(body);
}

std::string JsonError(std::string_view status, std::string_view type, std::string_view message,
                      std::string_view headers = "") {
  const std::string code(status.substr(0, 3));
  return Reply(status, "Content-Type: application/json; charset=utf-8\r\n" + std::string(headers),
               "{\"error\":{\"code\":" + code + ",\"message\":\"" + std::string(message) +
                   "\",\"type\":\"" + std::string(type) + "\"}}");
}

// How the server leaves after it has sent its bytes.
enum class Leave { kClose, kReset, kStay };

struct Fault {
  std::string name;
  std::string expected;  // the class, by its stable name
  int status = 0;
  std::string bytes;
  Leave leave = Leave::kClose;
  bool reads_request = true;
};

// The head and the first two events of a real answer, as a start for faults in mid-stream.
std::string Begun(Api api) {
  const auto events = RealEvents(api);
  return std::string(kStreamHead) + Chunk(events[0]) + Chunk(events[1]);
}

std::vector<Fault> RefusalFaults() {
  const std::string html = "<html><head><title>Oops</title></head><body>no</body></html>";
  return {
      {"status_400", "bad_request", 400,
       JsonError("400 Bad Request", "invalid_request_error", "m")},
      {"status_400_context", "context_exceeded", 400,
       JsonError("400 Bad Request", "exceed_context_size_error", "too long")},
      {"status_401", "unauthorised", 401, JsonError("401 X", "authentication_error", "key")},
      {"status_403", "unauthorised", 403, JsonError("403 X", "permission_error", "no")},
      {"status_404", "bad_request", 404, JsonError("404 Not Found", "not_found_error", "File")},
      {"status_405", "bad_request", 405, Reply("405 X", "", "")},
      {"status_413", "bad_request", 413, Reply("413 X", "", "")},
      {"status_422", "bad_request", 422,
       Reply("422 X", "Content-Type: application/json\r\n", R"({"detail":[{"msg":"m"}]})")},
      {"status_429", "rate_limited", 429, JsonError("429 X", "rate_limit_error", "slow")},
      {"status_429_retry_after", "rate_limited", 429,
       JsonError("429 X", "rate_limit_error", "slow", "Retry-After: 7\r\n")},
      {"status_500", "server_error", 500, JsonError("500 X", "server_error", "boom")},
      {"status_500_out_of_memory", "out_of_memory", 500,
       JsonError("500 X", "server_error", "failed to allocate buffer")},
      {"status_501", "server_error", 501, JsonError("501 X", "not_supported_error", "no")},
      {"status_502_html", "server_error", 502, Reply("502 X", "Content-Type: text/html\r\n", html)},
      {"status_503_loading", "unavailable", 503,
       JsonError("503 X", "unavailable_error", "Loading model")},
      {"status_503_retry_after", "unavailable", 503,
       JsonError("503 X", "unavailable_error", "busy", "Retry-After: 1\r\n")},
      {"status_503_empty", "unavailable", 503, Reply("503 X", "", "")},
      {"status_503_no_length", "unavailable", 503, "HTTP/1.1 503 X\r\n\r\nbusy"},
      {"status_503_short_body", "unavailable", 503,
       "HTTP/1.1 503 X\r\nContent-Length: 500\r\n\r\n{\"error\":"},
      {"status_503_reset_in_body", "unavailable", 503,
       "HTTP/1.1 503 X\r\nContent-Length: 500\r\n\r\n{\"error\":", Leave::kReset},
      {"status_503_silent_body", "unavailable", 503,
       "HTTP/1.1 503 X\r\nContent-Length: 500\r\n\r\n{\"error\":", Leave::kStay},
      {"status_503_bad_chunk", "unavailable", 503,
       "HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {"status_500_event_stream", "server_error", 500,
       "HTTP/1.1 500 X\r\nContent-Type: text/event-stream\r\n\r\ndata: [DONE]\n\n"},
      {"status_500_200_kB", "server_error", 500, Reply("500 X", "", std::string(200'000, 'x'))},
      {"status_500_deep_json", "server_error", 500, Reply("500 X", "", std::string(60'000, '['))},
      {"redirect_301", "redirected", 301, Reply("301 X", "Location: http://127.0.0.1:1/\r\n", "")},
      {"redirect_loop", "redirected", 307, Reply("307 X", "Location: /completion\r\n", "")},
      {"redirect_no_target", "redirected", 302, Reply("302 X", "", "")},
      {"not_modified", "redirected", 304, "HTTP/1.1 304 X\r\n\r\n"},
      {"no_content", "protocol", 204, "HTTP/1.1 204 X\r\n\r\n"},
      {"switching_protocols", "truncated", 0, "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n"},
      {"partial_content", "protocol", 206,
       Reply("206 X", "Content-Type: text/event-stream\r\n", "data: [DONE]\n\n")},
      {"json_200", "protocol", 200, Reply("200 OK", "Content-Type: application/json\r\n", "{}")},
      {"html_200", "protocol", 200, Reply("200 OK", "Content-Type: text/html\r\n", html)},
      {"no_type_200", "protocol", 200, Reply("200 OK", "", "data: [DONE]\n\n")},
      {"look_alike_type", "protocol", 200,
       Reply("200 OK", "Content-Type: text/event-streams\r\n", "data: [DONE]\n\n")},
      {"gzip", "protocol", 200,
       Reply("200 OK", "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n",
             "\x1f\x8b")},
      {"gzip_transfer", "protocol", 200,
       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
       "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n\x1f\x8b\r\n0\r\n\r\n"},
      {"empty_200", "truncated", 200, Reply("200 OK", "Content-Type: text/event-stream\r\n", "")},
  };
}

std::vector<Fault> HttpFaults() {
  return {
      {"close_on_accept", "connection_reset", 0, "", Leave::kClose, false},
      {"reset_on_accept", "connection_reset", 0, "", Leave::kReset, false},
      {"close_before_answer", "connection_reset", 0, ""},
      {"reset_before_answer", "connection_reset", 0, "", Leave::kReset},
      {"close_in_status_line", "truncated", 0, "HTTP/1.1 2"},
      {"close_in_head", "truncated", 0, "HTTP/1.1 200 OK\r\nContent-Type: text/ev"},
      {"reset_in_head", "connection_reset", 0, "HTTP/1.1 200 OK\r\nContent-", Leave::kReset},
      {"not_http", "protocol", 0, "SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"},
      {"http_2", "protocol", 0, "HTTP/2.0 200 OK\r\n\r\n"},
      {"http_9", "protocol", 0, "HTTP/0.9 200 OK\r\n\r\n"},
      {"tls_alert", "protocol", 0, std::string("\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n", 11)},
      {"bad_status", "protocol", 0, "HTTP/1.1 abc OK\r\n\r\n"},
      {"bad_header_name", "protocol", 0, "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n"},
      {"header_without_colon", "protocol", 0, "HTTP/1.1 200 OK\r\nNoColon\r\n\r\n"},
      {"nul_in_header", "protocol", 0, std::string("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", 25)},
      {"negative_length", "protocol", 0, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
      {"huge_length", "protocol", 0,
       "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"},
      {"two_lengths", "protocol", 0,
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"},
      {"length_and_chunked", "protocol", 0,
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"nine_interim_responses", "limit_exceeded", 0,
       [] {
         std::string out;
         for (int i = 0; i < 9; ++i) out += "HTTP/1.1 100 Continue\r\n\r\n";
         return out;
       }()},
      {"huge_header_line", "limit_exceeded", 0,
       "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'x') + "\r\n\r\n"},
      {"huge_status_line", "limit_exceeded", 0, "HTTP/1.1 200 " + std::string(70'000, 'x')},
      {"too_many_headers", "limit_exceeded", 0,
       [] {
         std::string out = "HTTP/1.1 200 OK\r\n";
         for (int i = 0; i < 300; ++i) out += "A: b\r\n";
         return out + "\r\n";
       }()},
  };
}

std::vector<Fault> StreamFaults(Api api) {
  const std::string begun = Begun(api);
  const std::string head(kStreamHead);
  const auto event = [](std::string_view json) {
    return Chunk("data: " + std::string(json) + "\n\n");
  };
  const std::string end = event("[DONE]") + "0\r\n\r\n";
  return {
      {"close_after_head", "truncated", 200, head},
      {"reset_after_head", "connection_reset", 200, head, Leave::kReset},
      {"close_in_mid_stream", "truncated", 200, begun},
      {"reset_in_mid_stream", "connection_reset", 200, begun, Leave::kReset},
      {"last_chunk_without_end_marker", "truncated", 200, begun + "0\r\n\r\n"},
      {"ping_then_close", "truncated", 200, begun + Chunk(":\n\n")},
      {"close_in_chunk_size", "truncated", 200, begun + "7"},
      {"close_in_chunk", "truncated", 200, begun + "7a\r\ndata: {\"con"},
      {"end_marker_without_blank_line", "truncated", 200, begun + "d\r\ndata: [DONE]\n"},
      {"done_without_finish_reason", "truncated", 200, begun + end},
      {"negative_chunk_size", "protocol", 200, begun + "-5\r\nhello\r\n"},
      {"chunk_size_no_number", "protocol", 200, begun + "zz\r\nhello\r\n"},
      {"chunk_size_overflow", "protocol", 200, begun + "fffffffffffffffff\r\nx"},
      {"chunk_size_over_limit", "limit_exceeded", 200, begun + "ffffffffffffffff\r\nx"},
      {"chunk_without_its_crlf", "protocol", 200, begun + "3\r\n:\n\nXX5\r\nhello\r\n"},
      {"endless_chunk_extension", "limit_exceeded", 200, begun + "5;" + std::string(70'000, 'x')},
      {"bad_json", "protocol", 200, begun + event("{\"content\":")},
      {"json_array", "protocol", 200, begun + event("[1]")},
      {"deep_json", "protocol", 200, begun + event("{\"a\":" + std::string(60'000, '['))},
      {"binary_event", "protocol", 200, begun + event("\x01\x02")},
      {"error_object", "server_error", 200,
       begun + event(R"({"error":{"code":500,"message":"boom","type":"server_error"}})") + end},
      {"error_string", "server_error", 200, begun + event(R"({"error":"boom"})") + end},
      {"error_line", "server_error", 200,
       begun + Chunk("error: {\"code\":500,\"message\":\"boom\"}\n\n") + end},
      {"error_typed", "server_error", 200,
       begun + Chunk("event: error\ndata: {\"message\":\"boom\"}\n\n") + end},
      {"error_context", "context_exceeded", 200,
       begun + event(R"({"error":{"code":500,"message":"Context size has been exceeded.",)"
                     R"("type":"server_error"}})")},
      {"error_unavailable", "unavailable", 200,
       begun + event(R"({"error":{"code":503,"message":"slot","type":"unavailable_error"}})")},
      {"error_first", "server_error", 200, head + event(R"({"error":{"message":"boom"}})") + end},
      {"finish_reason_abort", api == Api::kNative ? "truncated" : "server_error", 200,
       begun + event(R"({"choices":[{"index":0,"text":"","delta":{},"finish_reason":"abort"}]})") +
           end},
      {"silence_before_answer", "stalled", 0, "", Leave::kStay},
      {"silence_in_head", "stalled", 0, "HTTP/1.1 200 OK\r\n", Leave::kStay},
      {"silence_before_first_token", "stalled", 200, head, Leave::kStay},
      {"silence_in_mid_stream", "stalled", 200, begun, Leave::kStay},
      {"silence_in_event", "stalled", 200, begun + "50\r\ndata: {", Leave::kStay},
  };
}

std::vector<Fault> AllFaults(Api api) {
  std::vector<Fault> faults = RefusalFaults();
  for (auto more : {HttpFaults(), StreamFaults(api)}) {
    faults.insert(faults.end(), more.begin(), more.end());
  }
  return faults;
}

class FaultTest : public testing::TestWithParam<std::tuple<Api, ScriptedServer::Kind>> {};

INSTANTIATE_TEST_SUITE_P(Apis, FaultTest,
                         testing::Combine(testing::ValuesIn(kApis),
                                          testing::Values(ScriptedServer::Kind::kTcp,
                                                          ScriptedServer::Kind::kUnix)),
                         [](const auto& param) {
                           return std::string(wire::ToString(std::get<0>(param.param))) +
                                  (std::get<1>(param.param) == ScriptedServer::Kind::kTcp ? "Tcp"
                                                                                          : "Unix");
                         });

TEST_P(FaultTest, HasOneClass) {
  const auto [api, kind] = GetParam();
  const auto faults = AllFaults(api);
  ASSERT_GE(faults.size(), 40U);
  std::atomic<const Fault*> current = nullptr;
  ScriptedServer server(
      [&](Peer& peer) {
        const Fault* const fault = current;
        if (fault->reads_request) peer.ReadRequest();
        peer.Send(fault->bytes);
        if (fault->leave == Leave::kClose) peer.Close();
        if (fault->leave == Leave::kReset) peer.Reset();
        if (fault->leave == Leave::kStay) peer.WaitForClose();
      },
      kind);
  for (const Fault& f : faults) {
    // A Unix socket has no RST; and what it says to a peer that left depends on who was faster.
    if (kind == ScriptedServer::Kind::kUnix && f.leave == Leave::kReset) continue;
    SCOPED_TRACE(f.name);
    current = &f;
    StreamRequest request = RequestFor(api);
    // Only the silent ones are waited for; long enough for a crowded machine to send what comes
    // first.
    request.stall_timeout = f.leave == Leave::kStay ? std::chrono::milliseconds(250)
                                                    : std::chrono::milliseconds(10'000);
    const TimePoint start = Now();
    const StreamResult result = RunStream(server.endpoint(), request);
    EXPECT_LT(Now() - start, 5s);
    EXPECT_EQ(result.outcome(), f.expected)
        << (result.end.error ? result.end.error->message : "no error");
    EXPECT_EQ(result.end.http_status, f.status);
    if (result.end.error) {
      EXPECT_EQ(result.end.error->message.find('\n'), std::string::npos);
      EXPECT_LT(result.end.error->message.size(), 600U);
    }
  }
}

TEST(HostileStream, NobodyListens) {
  Endpoint tcp;
  {
    const ScriptedServer gone([](Peer&) {});
    tcp = gone.endpoint();
  }
  EXPECT_EQ(RunStream(tcp, RequestFor(Api::kNative)).outcome(), "connection_refused");
  Endpoint missing;
  missing.unix_path = "/nonexistent/rocm.sock";
  EXPECT_EQ(RunStream(missing, RequestFor(Api::kNative)).outcome(), "connection_refused");
  missing.unix_path = "/" + std::string(200, 'x');
  EXPECT_EQ(RunStream(missing, RequestFor(Api::kNative)).outcome(), "invalid_argument");
  Endpoint stale;
  {
    const ScriptedServer gone([](Peer&) {}, ScriptedServer::Kind::kUnix);
    stale = gone.endpoint();
  }
  EXPECT_EQ(RunStream(stale, RequestFor(Api::kNative)).outcome(), "connection_refused");
  Endpoint unknown;
  unknown.host = "no-such-host.invalid";
  unknown.port = 80;
  StreamRequest request = RequestFor(Api::kNative);
  request.deadline = 10s;
  const std::string outcome = RunStream(unknown, request).outcome();
  EXPECT_TRUE(outcome == "connection_refused" || outcome == "deadline_exceeded") << outcome;
}

class TruncationTest : public testing::TestWithParam<Api> {};

INSTANTIATE_TEST_SUITE_P(Apis, TruncationTest, testing::ValuesIn(kApis),
                         [](const auto& api) { return std::string(wire::ToString(api.param)); });

// A real answer, cut at every byte offset: success exactly where its end marker is whole.
TEST_P(TruncationTest, IsNeverTakenForSuccess) {
  const Api api = GetParam();
  const std::string stream = RealStream(api);
  ASSERT_GE(stream.size(), 1700U);
  // "\r\n0\r\n\r\n" follows the blank line that completes the end marker.
  const std::size_t complete = stream.size() - 7;
  std::atomic<std::size_t> cut = 0;
  std::atomic<bool> reset = false;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Send(std::string_view(stream).substr(0, cut));
    reset ? peer.Reset() : peer.Close();
  });
  int checked = 0;
  for (const bool with_reset : {false, true}) {
    reset = with_reset;
    for (cut = 0; cut <= stream.size(); cut += cut + 20 < stream.size() ? wire::kSplitStep : 1) {
      const StreamResult result = RunStream(server.endpoint(), RequestFor(api));
      const std::string outcome = result.outcome();
      ++checked;
      if (cut < complete) {
        ASSERT_TRUE(outcome == "truncated" || outcome == "connection_reset")
            << outcome << " at " << cut;
        ASSERT_TRUE(RealText(api).starts_with(result.text)) << cut;
      } else if (!reset) {
        ASSERT_EQ(outcome, "ok") << cut;
        ASSERT_EQ(result.text, RealText(api));
      }
    }
  }
  RecordProperty("offsets", checked);
}

}  // namespace
}  // namespace rocm::http
