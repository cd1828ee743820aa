// SPDX-License-Identifier: EUPL-1.2
// Client CPU per streamed event, beside a bare epoll + recv loop that finds event ends and parses
// nothing, in one run. A forked server sends real events, one send(2) an event as llama-server
// does: as fast as it can to one stream, or to many streams at a steady rate. Time in the table is
// the client's CPU time (user + system) per event.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/unique_fd.h"
#include "backend/http/blocking_stream.h"
#include "backend/http/completion_stream.h"
#include "backend/http/connection.h"

namespace rocm::http {
namespace {

constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

std::string Event(wire::Api api, int n) {
  const std::string word = std::to_string(100 + n % 900);
  std::string event;
  if (api == wire::Api::kNative) {
    event = "data: {\"index\":0,\"content\":\" w" + word + "\",\"tokens\":[" + word +
            "],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":" + std::to_string(n + 1) +
            ",\"tokens_evaluated\":6}\n\n";
  } else {
    event = "data: {\"choices\":[{\"text\":\" w" + word +
            "\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"created\":1795163380,"
            "\"model\":\"tiny-llama.gguf\",\"system_fingerprint\":\"b11669-Debian\",\"object\":"
            "\"text_completion\",\"id\":\"chatcmpl-43ExNF0quwDY6vD2R7Ejv6qpri2UaAR0\"}\n\n";
  }
  return event;
}

std::string Chunk(std::string_view data) {
  char size[20];
  std::snprintf(size, sizeof(size), "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}

std::string LastEvents(wire::Api api) {
  if (api == wire::Api::kNative) {
    return Chunk("data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"limit\"}\n\n");
  }
  return Chunk(
             "data: {\"choices\":[{\"text\":\"\",\"index\":0,\"finish_reason\":\"length\"}]}\n\n") +
         Chunk("data: [DONE]\n\n");
}

void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// What the request's body asks the server for.
struct Plan {
  int api = 0;
  int streams = 1;  // that belong together: they start when all are there
  int events = 1;
  int gap_us = 0;  // between two events of one stream; 0: none
};

std::string Encode(const Plan& plan) {
  return std::to_string(plan.api) + " " + std::to_string(plan.streams) + " " +
         std::to_string(plan.events) + " " + std::to_string(plan.gap_us) + " ";
}

bool ReadPlan(int fd, Plan& plan) {
  std::string request;
  char bytes[4096];
  for (;;) {
    const ssize_t n = ::recv(fd, bytes, sizeof(bytes), 0);
    if (n <= 0) return false;
    request.append(bytes, static_cast<std::size_t>(n));
    const std::size_t body = request.find("\r\n\r\n");
    if (body == std::string::npos) continue;
    if (std::sscanf(request.c_str() + body, "%d %d %d %d ", &plan.api, &plan.streams, &plan.events,
                    &plan.gap_us) == 4) {
      return true;
    }
  }
}

void WaitUntil(TimePoint when) {
  const std::int64_t ns = ToNs(when);
  const timespec at{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

// The child process: one group of streams at a time, for ever.
[[noreturn]] void Serve(int listener) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    std::vector<UniqueFd> streams;
    Plan plan;
    do {
      UniqueFd fd(::accept(listener, nullptr, nullptr));
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      if (ReadPlan(fd.get(), plan)) streams.push_back(std::move(fd));
    } while (static_cast<int>(streams.size()) < plan.streams);
    const auto api = static_cast<wire::Api>(plan.api);
    for (const UniqueFd& fd : streams) SendAll(fd.get(), kHead);
    const TimePoint start = Now();
    const std::chrono::microseconds gap(plan.gap_us);
    for (int n = 0; n < plan.events; ++n) {
      const std::string chunk = Chunk(Event(api, n));
      for (std::size_t i = 0; i < streams.size(); ++i) {
        // Streams are out of step, as requests that arrived at different times are.
        if (plan.gap_us > 0) {
          WaitUntil(start + n * gap + gap * static_cast<int>(i) / static_cast<int>(streams.size()));
        }
        SendAll(streams[i].get(), chunk);
      }
    }
    for (const UniqueFd& fd : streams) SendAll(fd.get(), LastEvents(api) + "0\r\n\r\n");
  }
}

Endpoint StartServer() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 4096) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen");
  }
  if (::fork() == 0) Serve(listener);
  ::close(listener);
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = ntohs(address.sin_port);
  return endpoint;
}

const Endpoint& Server() {
  static const Endpoint endpoint = StartServer();
  return endpoint;
}

struct Cpu {
  double user = 0;
  double kernel = 0;
};

Cpu CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

// The yardstick: knows where events end and nothing else.
std::int64_t RunBare(const Plan& plan) {
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  std::vector<UniqueFd> streams;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(Server().port);
  const std::string request = "POST /x HTTP/1.1\r\n\r\n" + Encode(plan);
  for (int i = 0; i < plan.streams; ++i) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return -1;
    SendAll(fd.get(), request);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd.get();
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event);
    streams.push_back(std::move(fd));
  }
  std::vector<bool> after_lf(65536);
  std::int64_t ends = 0;
  int open = plan.streams;
  std::vector<char> buffer(65536);
  epoll_event ready[128];
  while (open > 0) {
    const int n = ::epoll_wait(epoll.get(), ready, 128, -1);
    for (int i = 0; i < n; ++i) {
      const int fd = ready[i].data.fd;
      const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
        --open;
        continue;
      }
      const char* at = buffer.data();
      const char* const end = at + got;
      bool lf = after_lf[static_cast<std::size_t>(fd)];
      while (at < end) {
        if (lf && *at == '\n') ++ends;
        const void* next = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
        lf = next != nullptr && static_cast<const char*>(next) + 1 == end;
        if (next == nullptr) break;
        at = static_cast<const char*>(next) + 1;
        if (at < end && *at == '\n') {
          ++ends;
          ++at;
        }
      }
      after_lf[static_cast<std::size_t>(fd)] = lf;
    }
  }
  return ends;
}

StreamRequest RequestFor(const Plan& plan) {
  StreamRequest request;
  request.api = static_cast<wire::Api>(plan.api);
  request.body = Encode(plan);
  return request;
}

std::int64_t RunCoroutines(const Plan& plan) {
  boost::asio::io_context io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  std::int64_t events = 0;
  std::int64_t failed = 0;
  for (int i = 0; i < plan.streams; ++i) {
    boost::asio::co_spawn(
        io,
        StreamCompletion(Server(), RequestFor(plan),
                         [&](const wire::CompletionDelta& delta, TimePoint at, bool) {
                           benchmark::DoNotOptimize(delta.text.data());
                           benchmark::DoNotOptimize(at);
                           ++events;
                           return true;
                         }),
        [&](std::exception_ptr, const StreamEnd& end) {
          if (end.error) ++failed;
        });
  }
  io.run();
  return failed > 0 ? -failed : events;
}

// The event loop alone: the same connection, its bytes looked at as the yardstick does.
std::int64_t RunLoop(const Plan& plan) {
  class Counter : public ResponseReader {
   public:
    explicit Counter(std::int64_t& ends) : ends_(ends) {}
    bool OnBytes(std::string_view bytes, TimePoint, std::size_t& used) override {
      used = bytes.size();
      for (std::size_t at = 0; (at = bytes.find("\n\n", at)) != std::string_view::npos; at += 2) {
        ++ends_;
      }
      return true;
    }
    void OnClosed(std::optional<Error>) override {}

   private:
    std::int64_t& ends_;
  };
  boost::asio::io_context io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  std::int64_t ends = 0;
  const std::string request = "POST /x HTTP/1.1\r\n\r\n" + Encode(plan);
  const auto one = [&]() -> boost::asio::awaitable<void> {
    Counter counter(ends);
    Connection connection(io.get_executor(), Server(), {}, nullptr);
    (void)co_await connection.Exchange(request, {}, counter);
  };
  for (int i = 0; i < plan.streams; ++i) boost::asio::co_spawn(io, one, boost::asio::detached);
  io.run();
  return ends;
}

std::int64_t RunBlocking(const Plan& plan) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(plan.streams));
  const auto one = [&](std::int64_t& count) {
    BlockingStream stream(Server(), RequestFor(plan));
    std::int64_t events = 0;
    while (const StreamEvent* event = stream.Next()) {
      benchmark::DoNotOptimize(event->delta.text.data());
      ++events;
    }
    count = stream.End().error ? -1 : events;
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < counts.size(); ++i) threads.emplace_back(one, std::ref(counts[i]));
  one(counts[0]);
  for (std::thread& thread : threads) thread.join();
  std::int64_t events = 0;
  for (const std::int64_t count : counts) {
    if (count < 0) return -1;
    events += count;
  }
  return events;
}

using Runner = std::int64_t (*)(const Plan&);

Cpu Measure(Runner run, const Plan& plan, benchmark::State& state) {
  const Cpu before = CpuSeconds();
  const std::int64_t events = run(plan);
  const Cpu after = CpuSeconds();
  if (events < static_cast<std::int64_t>(plan.events) * plan.streams) {
    state.SkipWithError("events were lost");
  }
  return {after.user - before.user, after.kernel - before.kernel};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Each iteration runs the yardstick and ours, in turns, so that both see the same machine. Medians
// over the iterations.
template <Runner ours>
void BM_Cost(benchmark::State& state) {
  Plan plan;
  plan.api = static_cast<int>(state.range(0));
  plan.streams = static_cast<int>(state.range(1));
  plan.gap_us = static_cast<int>(state.range(2));
  plan.events = static_cast<int>(state.range(3));
  const double events = static_cast<double>(plan.events) * plan.streams;
  std::vector<double> bare_cost;
  std::vector<double> our_cost;
  std::vector<double> ratios;
  bool bare_first = true;
  for (auto _ : state) {
    Cpu bare;
    if (bare_first) bare = Measure(RunBare, plan, state);
    const Cpu cost = Measure(ours, plan, state);
    if (!bare_first) bare = Measure(RunBare, plan, state);
    bare_first = !bare_first;
    bare_cost.push_back((bare.user + bare.kernel) / events);
    our_cost.push_back((cost.user + cost.kernel) / events);
    ratios.push_back(our_cost.back() / bare_cost.back());
    state.SetIterationTime(cost.user + cost.kernel);
  }
  state.counters["bare_per_event"] = Median(bare_cost);
  state.counters["ours_per_event"] = Median(our_cost);
  state.counters["ratio"] = Median(ratios);
}

// api, streams, µs between two events of a stream, events of a stream
void Arguments(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"api", "streams", "gap_us", "events"});
  for (const std::int64_t api : {0, 1}) {
    bench->Args({api, 1, 0, 100'000});
    bench->Args({api, 1, 500, 2'000});
    bench->Args({api, 64, 20'000, 128});
    bench->Args({api, 256, 20'000, 128});
  }
  bench->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(7);
}

BENCHMARK(BM_Cost<RunLoop>)->Name("loop_only")->Apply(Arguments);
BENCHMARK(BM_Cost<RunCoroutines>)->Name("coroutine")->Apply(Arguments);
BENCHMARK(BM_Cost<RunBlocking>)->Name("blocking")->Apply(Arguments);

}  // namespace
}  // namespace rocm::http
