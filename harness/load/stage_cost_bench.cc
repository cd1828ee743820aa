// SPDX-License-Identifier: EUPL-1.2
// What a chunk costs the client: the load engine against an epoll loop that receives the same
// streams and parses nothing. Both in one run, against the mock at 50 chunks a second and stream.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/base/unique_fd.h"
#include "backend/gguf/chain_model.h"
#include "harness/load/request_factory.h"
#include "harness/load/stage_runner.h"
#include "harness/target/target.h"

namespace harness {
namespace {

constexpr int kTokens = 100;

Scenario MakeScenario(int streams) {
  Scenario scenario;
  scenario.name = "cost";
  scenario.server.slots = streams;
  scenario.server.context_per_slot = 256;
  scenario.server.args = {"--mock-ttft-ms", "100",       "--mock-token-ms", "20",
                          "--mock-jitter",  "normal:0.1"};
  scenario.workload.prompt = TextPrompts{{"Hello"}};
  scenario.workload.output_tokens = FixedLength{kTokens};
  Stage stage;
  stage.name = "cost";
  stage.load = ClosedLoop{streams, std::chrono::milliseconds(100)};
  stage.requests = streams;
  scenario.stages = {stage};
  return scenario;
}

// The server of one case; made once, since a start costs more than a measurement.
struct Case {
  Scenario scenario;
  std::unique_ptr<Target> target;
  std::unique_ptr<RequestFactory> factory;
};

Case& CaseOf(int streams) {
  static std::map<int, Case> cases;
  Case& one = cases[streams];
  if (one.target != nullptr) return one;
  const std::string model =
      (std::filesystem::temp_directory_path() / fmt::format("cost-{}.gguf", ::getpid())).string();
  if (!rocm::gguf::WriteChainModel(model)) std::abort();
  one.scenario = MakeScenario(streams);
  TargetOptions options;
  options.model = model;
  auto target = OpenTarget(options, one.scenario.server, streams, {});
  std::filesystem::remove(model);
  if (!target) {
    fmt::print(stderr, "{}\n", rocm::ToString(target.error()));
    std::exit(1);
  }
  one.target = *std::move(target);
  auto factory = RequestFactory::Create(one.scenario, *one.target, {});
  if (!factory) std::abort();
  one.factory = std::make_unique<RequestFactory>(*std::move(factory));
  return one;
}

double ThreadCpuUs() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) * 1e-3;
}

int Connect(const rocm::http::Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint.unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    return fd;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  ::inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  return fd;
}

// The floor: connect, send, then epoll_wait and recv until each stream is closed.
double FloorUs(const Case& one, int streams) {
  const double before = ThreadCpuUs();
  const rocm::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  std::vector<rocm::UniqueFd> sockets;
  for (int i = 0; i < streams; ++i) {
    RequestKey key{.stage = "cost"};
    key.index = i;
    const std::string body = one.factory->Make(key).body;
    const std::string request = fmt::format(
        "POST /completion HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: "
        "application/json\r\nContent-Length: {}\r\n\r\n{}",
        one.target->endpoint().api_key, body.size(), body);
    sockets.emplace_back(Connect(one.target->endpoint()));
    if (::send(sockets.back().get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
      std::abort();
    }
    epoll_event event{.events = EPOLLIN, .data = {.fd = sockets.back().get()}};
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, sockets.back().get(), &event);
  }
  std::vector<char> buffer(65'536);
  for (int open = streams; open > 0;) {
    epoll_event events[256];
    const int ready = ::epoll_wait(epoll.get(), events, 256, 10'000);
    if (ready <= 0) std::abort();
    for (int i = 0; i < ready; ++i) {
      const ssize_t n = ::recv(events[i].data.fd, buffer.data(), buffer.size(), 0);
      if (n > 0) continue;
      ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, events[i].data.fd, nullptr);
      --open;
    }
  }
  return (ThreadCpuUs() - before) / (static_cast<double>(streams) * kTokens);
}

double EngineUs(const Case& one) {
  std::atomic<std::int64_t> failed{0};
  StagePlanInput input;
  input.stage = &one.scenario.stages.front();
  input.factory = one.factory.get();
  input.endpoint = one.target->endpoint();
  input.threads = 1;
  input.on_finished = [&](FinishedRequest&& request) {
    if (!request.record.ok() || request.record.tokens != kTokens) ++failed;
  };
  const StageOutcome outcome = RunStage(input);
  if (failed != 0) std::abort();
  return static_cast<double>(outcome.cpu.count()) * 1e-3 / static_cast<double>(outcome.chunks);
}

void BM_ClientCostPerChunk(benchmark::State& state) {
  const int streams = static_cast<int>(state.range(0));
  const Case& one = CaseOf(streams);
  std::vector<double> ratios;
  double engine = 0, floor = 0;
  for (auto _ : state) {
    floor = FloorUs(one, streams);
    engine = EngineUs(one);
    ratios.push_back(engine / floor);
    state.SetIterationTime(engine * 1e-6);
  }
  std::sort(ratios.begin(), ratios.end());
  state.counters["floor_us"] = floor;
  state.counters["engine_us"] = engine;
  state.counters["ratio"] = ratios[ratios.size() / 2];
}
BENCHMARK(BM_ClientCostPerChunk)
    ->Arg(64)
    ->Arg(512)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace harness
