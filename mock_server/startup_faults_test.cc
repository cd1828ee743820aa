// SPDX-License-Identifier: EUPL-1.2
// Faults before the server is ready, and at its end.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "mock_server/testing/fault_test_base.h"

namespace mock::testing {
namespace {

class StartupFaults : public ::testing::Test {
 protected:
  [[nodiscard]] StartOptions With(const std::string& faults,
                                  std::vector<std::string> arguments = {}) const {
    arguments.insert(
        arguments.end(),
        {"--mock-faults", folder_.Write("faults.json", R"({"startup":[)" + faults + "]}")});
    return WithoutWaiting(arguments);
  }
  Exit RunToEnd(const std::string& faults, std::vector<std::string> arguments = {},
                std::vector<std::string> environment = {}) {
    StartOptions options = With(faults, std::move(arguments));
    options.environment = std::move(environment);
    MockProcess process(options);
    const auto exit = process.Wait(10.0);
    log_ = process.Log();
    EXPECT_TRUE(exit.has_value()) << "still running";
    return exit.value_or(Exit{});
  }

  TemporaryFolder folder_;
  std::string log_;
};

TEST_F(StartupFaults, BindFailure) {
  EXPECT_EQ(RunToEnd(R"({"type":"bind-failure"})").code, 1);
  EXPECT_TRUE(Has(log_, "couldn't bind HTTP server socket"));
}

TEST_F(StartupFaults, AStrangerTakesThePort) {
  // A port that was free a moment ago.
  std::uint16_t port = 0;
  {
    const MockProcess probe;
    port = probe.port();
  }
  const Exit exit = RunToEnd(R"({"type":"steal-port","seconds":2})",
                             {"--port", std::to_string(port), "--api-key", "mine"});
  EXPECT_EQ(exit.code, 1);
  EXPECT_TRUE(Has(log_, "couldn't bind"));
  EXPECT_EQ(Ask(port, "GET", "/health").Status(), 200) << "somebody else answers";
  EXPECT_TRUE(Has(Ask(port, "GET", "/props").Body(), R"("model_alias":"stranger")"));
  const Ns end = Now() + 10 * kSecond;
  while (RawClient::Tcp(port).connected() && Now() < end) {
    (void)RawClient::Tcp(port).Read(0.05);
  }
  EXPECT_LT(Now(), end) << "the stranger stays";
}

TEST_F(StartupFaults, DeathDuringTheLoad) {
  EXPECT_EQ(RunToEnd(R"({"type":"load-exit","code":7,"text":"out of luck","after_ms":20})").code,
            7);
  EXPECT_TRUE(Has(log_, "out of luck"));
  EXPECT_EQ(RunToEnd(R"({"type":"load-signal","signal":"SIGSEGV"})").signal, SIGSEGV);
  EXPECT_EQ(RunToEnd(R"({"type":"load-signal","signal":"SIGABRT","after_ms":5})").signal, SIGABRT);
  EXPECT_FALSE(Has(log_, "listening on"));
}

TEST_F(StartupFaults, TheModelIsRefused) {
  EXPECT_EQ(RunToEnd(R"({"type":"out-of-memory"})",
                     {"--mock-preset", "rx7800xt-gemma3-4b", "--mock-load-ms", "1"})
                .code,
            1);
  EXPECT_TRUE(Has(log_, "cudaMalloc failed: out of memory"));
  EXPECT_TRUE(Has(log_, "exiting due to model loading error"));
  EXPECT_EQ(RunToEnd(R"({"type":"unsupported-architecture","architecture":"foo"})").code, 1);
  EXPECT_TRUE(Has(log_, "unknown model architecture: 'foo'"));
}

TEST_F(StartupFaults, TheIntegratedGpuKillsEveryLoadUnlessItIsMasked) {
  const std::vector<std::string> gpu{
      "--mock-preset", "rx7800xt-gemma3-4b", "--mock-load-ms", "1", "-lv", "4"};
  const char* fault = R"({"type":"igpu-autofit","integrated":1})";
  EXPECT_EQ(RunToEnd(fault, gpu).signal, SIGABRT);
  EXPECT_TRUE(Has(log_, "using device ROCm1 (AMD Radeon Graphics)"));
  EXPECT_TRUE(Has(log_, "ROCm1 model buffer size"));
  EXPECT_TRUE(Has(log_, "unspecified launch failure"));
  EXPECT_EQ(RunToEnd(fault, gpu, {"ROCR_VISIBLE_DEVICES=1"}).signal, SIGABRT);
  for (const char* mask : {"ROCR_VISIBLE_DEVICES=GPU-0123456789abcdef", "HIP_VISIBLE_DEVICES=0"}) {
    SCOPED_TRACE(mask);
    StartOptions options = With(fault, gpu);
    options.environment = {mask};
    options.wait_until_listening = true;
    const MockProcess server(options);
    EXPECT_EQ(Ask(server.port(), "GET", "/health").Status(), 200);
    EXPECT_FALSE(Has(server.Log(), "ROCm1"));
  }
}

TEST_F(StartupFaults, NeverReady) {
  const std::string path = folder_.File("s.sock");
  const MockProcess server(With(R"({"type":"never-ready"})", {"--host", path}));
  ASSERT_TRUE(server.WaitForLog("loading model"));
  (void)RawClient::Unix(path).Read(0.3);
  const RawClient client = RawClient::Unix(path);
  client.Send(HttpText("GET", "/health", ""));
  EXPECT_EQ(client.Read(5.0).Status(), 503);
}

TEST_F(StartupFaults, IgnoresSigterm) {
  StartOptions options = With(R"({"type":"ignore-sigterm"})");
  options.wait_until_listening = true;
  MockProcess server(options);
  server.Signal(SIGTERM);
  server.Signal(SIGTERM);
  EXPECT_FALSE(server.Wait(0.5).has_value());
  EXPECT_EQ(Ask(server.port(), "GET", "/health").Status(), 200);
  server.Signal(SIGKILL);
  EXPECT_EQ(server.Wait(2.0)->signal, SIGKILL);
}

TEST_F(StartupFaults, FloodsItsLog) {
  StartOptions options = With(R"({"type":"stderr-flood","mib":3})");
  options.wait_until_listening = true;
  const MockProcess server(options);
  EXPECT_GT(server.Log().size(), 3'000'000U);
}

TEST_F(StartupFaults, LeavesAGrandchildWithItsPipes) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  // The pipe is inherited by the server and, without the fault, closed with it.
  StartOptions options = With(R"({"type":"grandchild","seconds":1})");
  options.wait_until_listening = true;
  MockProcess server(options);
  ::close(pipe_ends[1]);
  server.Signal(SIGKILL);
  ASSERT_TRUE(server.Wait(2.0).has_value());
  const Ns start = Now();
  char byte = 0;
  EXPECT_EQ(::read(pipe_ends[0], &byte, 1), 0);
  ::close(pipe_ends[0]);
  EXPECT_GT(Now() - start, 300 * kMillisecond) << "nobody held the pipe";
}

TEST_F(StartupFaults, BadScriptsAreRefused) {
  for (const auto& [script, reason] : std::vector<std::pair<std::string, std::string>>{
           {R"({"startup":[{"type":"status"}]})", "put it under \"rules\""},
           {"[]", "is not an object"},
           {"{", "it is not JSON"}}) {
    const std::string file = folder_.Write("bad.json", script);
    MockProcess process(WithoutWaiting({"--mock-faults", file}));
    ASSERT_EQ(process.Wait(5.0)->code, 1);
    EXPECT_TRUE(Has(process.Log(), reason)) << process.Log();
  }
}

}  // namespace
}  // namespace mock::testing
