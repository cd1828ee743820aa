// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/prometheus_outputs.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/unique_fd.h"
#include "harness/base/unique_id.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Threads of this process with that name. Counting all would count what a sanitizer starts.
std::ptrdiff_t ThreadsNamed(std::string_view name) {
  const fs::directory_iterator tasks("/proc/self/task");
  return std::count_if(fs::begin(tasks), fs::end(tasks), [&](const fs::directory_entry& task) {
    std::string own;
    return static_cast<bool>(std::getline(std::ifstream(task.path() / "comm"), own)) && own == name;
  });
}

rocm::UniqueFd Connect(int port) {
  rocm::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

// Everything until the peer closes, within ten seconds.
std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 10'000) <= 0) return text + "[timed out]";
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string Get(int port) {
  const rocm::UniqueFd fd = Connect(port);
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(::write(fd.get(), request.data(), request.size()),
            static_cast<ssize_t>(request.size()));
  return ReadAll(fd.get());
}

// A gateway that answers one request, or never. Keeps what it was sent.
class FakeGateway {
 public:
  explicit FakeGateway(std::string answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = Loopback(0);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    if (!answer_.empty()) thread_ = std::thread([this] { Serve(); });
  }
  ~FakeGateway() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string Request() {
    thread_.join();
    return request_;
  }

 private:
  void Serve() {
    const rocm::UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
    if (!peer) return;
    char buffer[4096];
    // The body's last line ends the request well enough here.
    while (request_.find("rocm_bench_run_valid 1\n") == std::string::npos) {
      const ssize_t got = ::read(peer.get(), buffer, sizeof buffer);
      if (got <= 0) return;
      request_.append(buffer, static_cast<std::size_t>(got));
      if (request_.find("100-continue") != std::string::npos) {
        const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        if (::write(peer.get(), go_on.data(), go_on.size()) < 0) return;
      }
    }
    if (::write(peer.get(), answer_.data(), answer_.size()) < 0) request_.clear();
    ::shutdown(listener_.get(), SHUT_RDWR);  // the next one is refused
  }

  const std::string answer_;
  rocm::UniqueFd listener_;
  int port_ = 0;
  std::string request_;
  std::thread thread_;
};

std::string Status(const std::string& line) {
  return "HTTP/1.1 " + line + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}

class PrometheusTest : public testing::Test {
 protected:
  PrometheusTest() { metrics_.Observe(RunEnd{}, WallTime()); }
  RunMetrics metrics_;
};

TEST_F(PrometheusTest, ServesMetrics) {
  const auto listener = MetricsListener::Start("127.0.0.1:0", metrics_).value();
  ASSERT_GT(listener->port(), 0);
  const std::string answer = Get(listener->port());
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr("rocm_bench_run_valid 1\n"));
  // Live: what is observed later is served later.
  RequestRecord record;
  record.outcome = "ok";
  metrics_.Observe(record);
  EXPECT_THAT(Get(listener->port()), HasSubstr("rocm_bench_requests_total"));
}

TEST_F(PrometheusTest, APortAloneIsLoopback) {
  const auto listener = MetricsListener::Start("0", metrics_).value();
  EXPECT_THAT(Get(listener->port()), HasSubstr("rocm_bench_run_valid 1\n"));
}

TEST_F(PrometheusTest, IdleConnectionsDoNotBlockScrapes) {
  const auto listener = MetricsListener::Start("0", metrics_).value();
  std::vector<rocm::UniqueFd> idle;
  for (int i = 0; i < 4; ++i) idle.push_back(Connect(listener->port()));
  const rocm::TimePoint before = rocm::Now();
  EXPECT_THAT(Get(listener->port()), HasSubstr("rocm_bench_run_valid 1\n"));
  EXPECT_LT(rocm::Now() - before, std::chrono::seconds(8));
}

TEST_F(PrometheusTest, BadAddresses) {
  for (const char* address : {"", "x", "127.0.0.1:", "127.0.0.1:99999999", ":9464", "0,1234",
                              "127.0.0.1:0,80", "host/:80", "127.0.0.1:80s"}) {
    const auto listener = MetricsListener::Start(address, metrics_);
    ASSERT_FALSE(listener) << address;
    EXPECT_EQ(listener.error().code, rocm::ErrorCode::kInvalidArgument) << address;
  }
  const auto first = MetricsListener::Start("0", metrics_).value();
  const auto second = MetricsListener::Start(std::to_string(first->port()), metrics_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, rocm::ErrorCode::kPortInUse);
}

TEST_F(PrometheusTest, PushesToTheRightGroup) {
  FakeGateway gateway(Status("200 OK"));
  PushTarget target;
  target.url = gateway.url();
  target.instance = "night/1";
  RequestRecord record;
  record.scenario = "seed/decode";
  record.outcome = "ok";
  metrics_.Observe(record);
  const auto pushed = PushMetrics(metrics_, target);
  EXPECT_TRUE(pushed) << pushed.error().message;
  const std::string request = gateway.Request();
  EXPECT_THAT(request, StartsWith("PUT "));  // POST would keep what this run does not tell
  // Python: base64.urlsafe_b64encode(b"night/1"), … (b"seed/decode")
  EXPECT_THAT(request, HasSubstr("/metrics/job/rocm-bench"));
  EXPECT_THAT(request, HasSubstr("/instance@base64/bmlnaHQvMQ=="));
  EXPECT_THAT(request, HasSubstr("/scenario@base64/c2VlZC9kZWNvZGU="));
  EXPECT_THAT(request, HasSubstr("rocm_bench_requests_total"));
}

// A gateway lays the group's scenario over every metric, so a group holds one scenario only.
TEST_F(PrometheusTest, OneGroupForEachScenario) {
  for (const char* scenario : {"a", "b"}) {
    RequestRecord record;
    record.scenario = scenario;
    record.outcome = "ok";
    metrics_.Observe(record);
  }
  FakeGateway gateway(Status("200 OK"));
  PushTarget target;
  target.url = gateway.url();
  // The fake answers one request; the group of "b" finds nobody any more.
  EXPECT_FALSE(PushMetrics(metrics_, target));
  const std::string request = gateway.Request();
  EXPECT_THAT(request, HasSubstr("/scenario@base64/YQ=="));
  EXPECT_THAT(request, HasSubstr(R"(scenario="a")"));
  EXPECT_EQ(request.find(R"(scenario="b")"), std::string::npos);
}

TEST_F(PrometheusTest, ARefusalIsAnErrorWithItsStatus) {
  FakeGateway gateway(Status("400 Bad Request"));
  PushTarget target;
  target.url = gateway.url();
  const auto pushed = PushMetrics(metrics_, target);
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().http_status, 400);
  EXPECT_EQ(pushed.error().code, rocm::ErrorCode::kBadRequest);
}

TEST_F(PrometheusTest, AGatewayThatNeverAnswersEndsInTime) {
  PushTarget target;
  {
    FakeGateway gateway("");
    target.url = gateway.url();
    target.timeout = std::chrono::milliseconds(200);
    const rocm::TimePoint before = rocm::Now();
    const auto pushed = PushMetrics(metrics_, target);
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().code, rocm::ErrorCode::kDeadlineExceeded);
    EXPECT_LT(rocm::Now() - before, std::chrono::seconds(5));
    EXPECT_EQ(ThreadsNamed(kPushThread), 1);
  }
  // The push that was given up has a thread still, which ends with the gateway. Were the process
  // quicker, what OpenSSL keeps of that thread would look lost.
  const rocm::TimePoint limit = rocm::Now() + std::chrono::seconds(10);
  while (ThreadsNamed(kPushThread) > 0 && rocm::Now() < limit) ::sched_yield();
  EXPECT_EQ(ThreadsNamed(kPushThread), 0);
  target.timeout = std::chrono::seconds(10);
  const auto refused = PushMetrics(metrics_, target);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, rocm::ErrorCode::kConnectionRefused);
}

TEST_F(PrometheusTest, BadPushTargets) {
  for (const char* url :
       {"", "http://", "https://host:1/x", "http://host:port", "http://a/b", "http://u@h:1"}) {
    PushTarget target;
    target.url = url;
    const auto pushed = PushMetrics(metrics_, target);
    ASSERT_FALSE(pushed) << url;
    EXPECT_EQ(pushed.error().code, rocm::ErrorCode::kInvalidArgument) << url;
  }
}

TEST_F(PrometheusTest, TheTextfileIsReplacedWhole) {
  const fs::path directory = fs::path(testing::TempDir()) / ("textfile-" + UniqueId());
  const fs::path path = WriteTextfile(metrics_, directory).value();
  EXPECT_EQ(path, directory / "rocm_bench.prom");
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), metrics_.Text());
  ASSERT_TRUE(WriteTextfile(metrics_, directory));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 1);
  fs::remove_all(directory);
  EXPECT_EQ(WriteTextfile(metrics_, "/proc/none").error().code, rocm::ErrorCode::kIo);
}

TEST(GroupingValue, IsUrlSafeBase64) {
  EXPECT_EQ(GroupingValue(""), "=");
  EXPECT_EQ(GroupingValue("a"), "YQ==");
  EXPECT_EQ(GroupingValue("ab"), "YWI=");
  EXPECT_EQ(GroupingValue("abc"), "YWJj");
  EXPECT_EQ(GroupingValue("\xc3\xbf\xc3\xbf?>"), "w7_Dvz8-");
}

}  // namespace
}  // namespace harness
