// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "mock_server/testing/mock_process.h"
#include "mock_server/testing/raw_client.h"

namespace mock::testing {

// A running mock whose faults each test sets; clients are plain sockets.
class FaultTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.end(), {"--mock-token-ms", "1", "--mock-ttft-ms", "1"});
    server_ = std::make_unique<MockProcess>(arguments);
  }
  void SetUp() override { Start(); }

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }

  // One rule for all completions, beside what `when` says.
  void Plan(const std::string& fault, const std::string& when = "{}") const {
    PlanScript(R"({"rules":[{"when":)" + when + R"(,"fault":)" + fault + "}]}");
  }
  void PlanScript(const std::string& script) const {
    const RawAnswer answer = Ask(port(), "POST", "/mock/faults", script);
    ASSERT_EQ(answer.Status(), 200) << answer.Bytes();
  }

  static std::string Body(int tokens = 5, bool stream = true) {
    return R"({"prompt":"hello","temperature":0,"n_predict":)" + std::to_string(tokens) +
           R"(,"stream":)" + (stream ? "true}" : "false}");
  }
  static std::string ChatBody(int tokens = 3) {
    return R"({"messages":[{"role":"user","content":"hello"}],"stream":true,"max_tokens":)" +
           std::to_string(tokens) + R"(,"stream_options":{"include_usage":true}})";
  }
  [[nodiscard]] RawAnswer Native(int tokens = 5, double seconds = 5.0) const {
    return Ask(port(), "POST", "/completion", Body(tokens), {}, seconds);
  }
  [[nodiscard]] RawAnswer Completion(double seconds = 5.0) const {
    return Ask(port(), "POST", "/v1/completions", Body(), {}, seconds);
  }
  [[nodiscard]] RawAnswer Chat(double seconds = 5.0) const {
    return Ask(port(), "POST", "/v1/chat/completions", ChatBody(), {}, seconds);
  }

  std::unique_ptr<MockProcess> server_;
};

[[nodiscard]] inline bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

[[nodiscard]] inline int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace mock::testing
