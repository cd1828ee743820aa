// SPDX-License-Identifier: EUPL-1.2
// Every way in which a server can misbehave, through `run`: one stable class for each, never a
// false success, and the run file stays valid.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "backend/base/testing/soak.h"
#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;

struct Misbehaviour {
  std::string name;
  std::string fault;
  std::set<std::string> outcomes;  // any of them
};

class HostileServer : public ::testing::TestWithParam<std::tuple<Misbehaviour, std::string>> {};

TEST_P(HostileServer, HasOneClass) {
  const auto& [bad, api] = GetParam();
  const ScratchFolder folder;
  const std::string faults =
      folder.Write("faults.json", R"({"rules": [{"when": {"endpoint": ")" +
                                      std::string(api == "native"       ? "/completion"
                                                  : api == "completion" ? "/v1/completions"
                                                                        : "/v1/chat/completions") +
                                      R"("}, "fault": )" + bad.fault + "}]}");
  const std::string scenario =
      folder.Write("s.json", R"({
    "schema": 1, "name": "hostile", "why": "Meets a fault.", "kind": "load", "timing": "unjudged",
    "server": {"slots": 2, "context_per_slot": 256},
    "workload": {"api": ")" + api +
                                 R"(", "prompt": {"text": "Hello"}, "output_tokens": {"fixed": 8},
                 "deadline_ms": 3000, "stall_timeout_ms": 800},
    "stages": [{"name": "s", "closed_loop": {"concurrency": 2}, "requests": 2}]})");
  BenchProcess bench({"run", scenario, "--target", "mock", "--server-arg=--mock-faults",
                      "--server-arg=" + faults, "--out", folder.At(""), "--quiet"});
  // 1: all requests failed. 3: the server itself died of it.
  const int code = bench.Wait(std::chrono::seconds(40));
  EXPECT_TRUE(code == 1 || code == 3) << code << bench.err();
  const auto lines = ReadLines(folder.RunFile());
  EXPECT_EQ(lines.back()["type"], "end");
  std::set<std::string> seen;
  for (const json& request : OfType(lines, "request")) {
    seen.insert(request["outcome"].get<std::string>());
  }
  EXPECT_EQ(seen.size(), 1u);
  for (const std::string& outcome : seen) {
    EXPECT_TRUE(bad.outcomes.contains(outcome)) << outcome;
  }
}

std::vector<Misbehaviour> Misbehaviours() {
  return {
      Misbehaviour{"status_400", R"({"type": "status", "code": 400})", {"bad_request"}},
      Misbehaviour{"status_401", R"({"type": "status", "code": 401})", {"unauthorised"}},
      Misbehaviour{"status_404", R"({"type": "status", "code": 404})", {"bad_request"}},
      Misbehaviour{"status_413", R"({"type": "status", "code": 413})", {"bad_request"}},
      Misbehaviour{
          "status_429", R"({"type": "status", "code": 429, "retry_after": "1"})", {"rate_limited"}},
      Misbehaviour{"status_500", R"({"type": "status", "code": 500})", {"server_error"}},
      Misbehaviour{"status_503", R"({"type": "status", "code": 503})", {"unavailable"}},
      Misbehaviour{"html", R"({"type": "html", "code": 502})", {"server_error"}},
      Misbehaviour{"html_200", R"({"type": "html", "code": 200})", {"protocol"}},
      Misbehaviour{"redirect", R"({"type": "redirect", "code": 302})", {"redirected"}},
      Misbehaviour{"gzip", R"({"type": "gzip"})", {"protocol"}},
      Misbehaviour{"content_type",
                   R"({"type": "content-type", "content_type": "text/plain"})",
                   {"protocol"}},
      Misbehaviour{"endless_headers",
                   R"({"type": "endless-headers", "mib": 16})",
                   {"limit_exceeded", "protocol"}},
      Misbehaviour{
          "endless_line", R"({"type": "endless-line", "token": 2, "mib": 64})", {"limit_exceeded"}},
      Misbehaviour{"deep_json",
                   R"({"type": "deep-json", "token": 2, "depth": 100000})",
                   {"protocol", "limit_exceeded"}},
      Misbehaviour{"invalid_json", R"({"type": "invalid-json", "token": 2})", {"protocol"}},
      Misbehaviour{
          "chunk_size", R"({"type": "chunk-size", "token": 2, "value": "-5"})", {"protocol"}},
      Misbehaviour{"truncated_chunk",
                   R"({"type": "truncated-chunk", "token": 2})",
                   {"truncated", "connection_reset"}},
      Misbehaviour{"closed", R"({"type": "end", "token": 2, "how": "close"})", {"truncated"}},
      Misbehaviour{"reset",
                   R"({"type": "end", "token": 2, "how": "reset"})",
                   // A Unix socket knows no RST: what was sent and not read decides.
                   {"connection_reset", "truncated"}},
      Misbehaviour{"no_finish", R"({"type": "no-finish"})", {"truncated"}},
      Misbehaviour{"error_event",
                   R"({"type": "error-event", "token": 2, "message": "boom"})",
                   {"server_error"}},
      Misbehaviour{"stall", R"({"type": "stall", "token": 3, "ms": 30000})", {"stalled"}},
      Misbehaviour{"stall_first", R"({"type": "delay", "ms": 30000})", {"stalled"}},
      Misbehaviour{
          "drip", R"({"type": "drip", "bytes": 1, "interval_ms": 100})", {"deadline_exceeded"}},
      Misbehaviour{
          "died", R"({"type": "signal", "signal": "SEGV", "token": 3})", {"server_exited"}}};
}

// Every fault through every API in the soak; in the quick run each through one of them, in turn.
std::vector<std::tuple<Misbehaviour, std::string>> Cases() {
  const std::vector<std::string> apis{"native", "completion", "chat"};
  std::vector<std::tuple<Misbehaviour, std::string>> cases;
  for (const Misbehaviour& bad : Misbehaviours()) {
    if (!rocm::Soak()) {
      cases.emplace_back(bad, apis[cases.size() % apis.size()]);
      continue;
    }
    for (const std::string& api : apis) cases.emplace_back(bad, api);
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Each, HostileServer, ::testing::ValuesIn(Cases()), [](const auto& test) {
  return std::get<0>(test.param).name + "_" + std::get<1>(test.param);
});

}  // namespace
}  // namespace harness::testing
