// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/stage_runner.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_set>
#include <vector>

#include "backend/base/clock.h"
#include "backend/http/completion_stream.h"
#include "harness/load/arrivals.h"

namespace harness {
namespace {

namespace asio = boost::asio;
using rocm::Now;
using rocm::TimePoint;
using rocm::ToNs;
using std::chrono::milliseconds;

constexpr milliseconds kTick{50};
constexpr milliseconds kFirstBackoff{10};
constexpr milliseconds kMaxBackoff{1'000};
// A server that sends more than this per token asked for is not answering the question.
constexpr std::uint64_t kBytesPerToken = 8 << 10;

// What all load threads share.
struct Shared {
  explicit Shared(const StagePlanInput& plan) : input(plan) {}

  const StagePlanInput& input;
  TimePoint begin{};
  std::optional<TimePoint> starting_ends;
  std::atomic<StageOrder> order{StageOrder::kRun};
  std::atomic<std::int64_t> next_index{0};
  std::atomic<std::int64_t> started{0};
  std::atomic<std::int64_t> finished{0};
  std::atomic<std::int64_t> failed{0};
  std::atomic<std::int64_t> tokens{0};
  std::atomic<std::int64_t> chunks{0};
  std::atomic<std::int64_t> last_start_ns{0};
  std::atomic<std::int64_t> cpu_ns{0};
  std::mutex mutex;
  std::condition_variable changed;
  int running_threads = 0;
  double busiest = 0;

  [[nodiscard]] bool may_start() const {
    return order.load(std::memory_order_relaxed) == StageOrder::kRun &&
           (!starting_ends || Now() < *starting_ends);
  }
  // A block of `n` indices, or fewer at the end; 0 when all have been given out.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> TakeIndices(std::int64_t n) {
    const std::int64_t first = next_index.fetch_add(n, std::memory_order_relaxed);
    const auto& limit = input.stage->requests;
    return {first, limit ? std::clamp<std::int64_t>(*limit - first, 0, n) : n};
  }
};

// One request on the wire: what the sink fills, chunk by chunk.
class InFlight {
 public:
  InFlight(Shared& shared, const RequestKey& key, const PreparedRequest& prepared)
      : shared_(shared) {
    RequestRecord& r = done.record;
    r.scenario = shared.input.scenario;
    r.variant = shared.input.variant;
    r.round = shared.input.round;
    r.stage = shared.input.stage->name;
    r.index = key.index;
    // Room for all of it: the sink then never allocates while it is being timed.
    const auto tokens = static_cast<std::size_t>(std::clamp(prepared.output_tokens, 0, 65'536));
    r.chunks.reserve(tokens + 2);
    r.ids.reserve(tokens + 2);
    r.text.reserve(6 * tokens + 16);
    done.output_tokens = prepared.output_tokens;
    done.exact_output = prepared.exact_output;
    done.prompt_tokens = prepared.prompt_tokens;
    done.chain_last = prepared.chain_last;
  }

  bool OnDelta(const rocm::wire::CompletionDelta& delta, TimePoint at, bool coalesced) {
    if (!delta.has_content()) {
      // Part of a character: its tokens belong to the chunk that completes it.
      if (delta.count > 0) pending_tokens_ += delta.count;
      return true;
    }
    RequestRecord& r = done.record;
    const std::int64_t ns = ToNs(at);
    if (r.first_token_ns == 0) r.first_token_ns = ns;
    if (r.first_answer_ns == 0 && !delta.text.empty()) r.first_answer_ns = ns;
    r.last_token_ns = ns;
    ChunkTime chunk;
    chunk.at_ns = ns;
    chunk.tokens = delta.count < 0 ? -1 : delta.count + std::exchange(pending_tokens_, 0);
    chunk.coalesced = coalesced;
    r.chunks.push_back(chunk);
    r.text += delta.text;
    r.ids.insert(r.ids.end(), delta.ids.begin(), delta.ids.end());
    shared_.tokens.fetch_add(std::max(chunk.tokens, 1), std::memory_order_relaxed);
    return true;
  }

  void Finish(rocm::http::StreamEnd&& end, std::optional<TimePoint> due) {
    RequestRecord& r = done.record;
    const auto ns = [](TimePoint t) { return t == TimePoint{} ? 0 : ToNs(t); };
    r.connect_ns = ns(end.times.connect_started);
    r.sent_ns = ns(end.times.sent);
    r.first_byte_ns = ns(end.times.first_byte);
    r.finished_ns = ns(end.times.finished);
    r.scheduled_ns = due ? ns(*due) : (r.sent_ns != 0 ? r.sent_ns : r.connect_ns);
    r.http_status = end.http_status;
    r.tokens = end.tokens;
    r.token_source = rocm::wire::ToString(end.token_source);
    r.timings = end.completion.timings;
    const rocm::Usage& usage = end.completion.usage;
    if (usage.prompt_tokens > 0) {
      r.prompt_tokens = usage.prompt_tokens;
      r.cached_tokens = usage.cached_tokens;
    } else if (r.timings) {
      r.prompt_tokens = r.timings->prompt_n + r.timings->cache_n;
    }
    if (r.timings) r.cached_tokens = r.timings->cache_n;
    if (end.error) {
      r.outcome = rocm::ToString(end.error->code);
      r.error = end.error->message;
      done.error = std::move(end.error);
    } else {
      r.outcome = "ok";
      r.finish_reason = rocm::ToString(end.completion.finish_reason);
    }
    shared_.chunks.fetch_add(static_cast<std::int64_t>(r.chunks.size()), std::memory_order_relaxed);
    if (!r.ok()) shared_.failed.fetch_add(1, std::memory_order_relaxed);
    shared_.finished.fetch_add(1, std::memory_order_relaxed);
  }

  FinishedRequest done;

 private:
  Shared& shared_;
  int pending_tokens_ = 0;
};

// One event loop and the streams on it. All but Order() runs on its own thread.
class LoadThread {
 public:
  LoadThread(Shared& shared, int id, int of) : shared_(shared), id_(id), of_(of) {}

  void Run() {
    if (const auto* closed = std::get_if<ClosedLoop>(&shared_.input.stage->load)) {
      for (int stream = id_; stream < closed->concurrency; stream += of_) {
        Spawn(ClosedStream(*closed, stream));
      }
    } else {
      Spawn(Dispatch(std::get<OpenLoop>(shared_.input.stage->load)));
    }
    context_.run();
  }

  // From any thread.
  void Order(StageOrder order) {
    asio::post(context_, [this, order] {
      for (asio::steady_timer* timer : waiting_) timer->cancel();
      if (order != StageOrder::kCancel) return;
      for (const auto& canceller : cancellers_) canceller->Cancel(rocm::ErrorCode::kCancelled);
    });
  }

 private:
  template <typename Task>
  void Spawn(Task task) {
    asio::co_spawn(context_, std::move(task), [](std::exception_ptr failure) {
      // Streams never throw; what is left is memory that ran out.
      if (failure) std::abort();
    });
  }

  // Until `when`, or an order.
  asio::awaitable<void> WaitUntil(TimePoint when) {
    if (when <= Now() || shared_.order.load() != StageOrder::kRun) co_return;
    asio::steady_timer timer(context_, when);
    waiting_.insert(&timer);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    waiting_.erase(&timer);
  }

  asio::awaitable<rocm::http::StreamEnd> Send(std::string body, int output_tokens,
                                              rocm::http::DeltaSink sink) {
    const Workload& workload = shared_.input.factory->workload();
    rocm::http::StreamRequest request;
    request.api = shared_.input.factory->api();
    request.body = std::move(body);
    request.deadline = workload.deadline;
    request.stall_timeout = workload.stall_timeout;
    request.max_stream_bytes =
        (1U << 20) + request.body.size() * 4 +
        kBytesPerToken * static_cast<std::uint64_t>(std::max(output_tokens, 0));
    const auto canceller = std::make_shared<rocm::http::StreamCanceller>();
    cancellers_.insert(canceller);
    // An order given before this stream was known.
    if (shared_.order.load() == StageOrder::kCancel) {
      canceller->Cancel(rocm::ErrorCode::kCancelled);
    }
    auto end = co_await rocm::http::StreamCompletion(shared_.input.endpoint, std::move(request),
                                                     std::move(sink), canceller);
    cancellers_.erase(canceller);
    co_return end;
  }

  // True when the server said anything at all.
  asio::awaitable<bool> RunOne(RequestKey key, PreparedRequest prepared,
                               std::optional<TimePoint> due, std::string* answer) {
    InFlight request(shared_, key, prepared);
    bool primed = true;
    rocm::http::StreamEnd end;
    if (!prepared.prime_body.empty()) {
      rocm::http::DeltaSink ignore = [](const auto&, TimePoint, bool) { return true; };
      end = co_await Send(std::move(prepared.prime_body), 1, std::move(ignore));
      primed = !end.error;
    }
    // A request whose cache could not be filled has failed as a whole: it is not what was asked
    // for.
    if (primed) {
      rocm::http::DeltaSink sink = [&request](const rocm::wire::CompletionDelta& delta,
                                              TimePoint at, bool coalesced) {
        return request.OnDelta(delta, at, coalesced);
      };
      end = co_await Send(std::move(prepared.body), prepared.output_tokens, std::move(sink));
    }
    request.Finish(std::move(end), due);
    if (answer != nullptr) *answer = request.done.record.text;
    const bool spoke = request.done.record.first_byte_ns != 0;
    shared_.input.on_finished(std::move(request.done));
    co_return spoke;
  }

  asio::awaitable<void> ClosedStream(ClosedLoop loop, int stream) {
    co_await WaitUntil(shared_.begin + loop.ramp * stream / std::max(loop.concurrency, 1));
    const RequestFactory& factory = *shared_.input.factory;
    const int turns = factory.turns();
    milliseconds backoff = kFirstBackoff;
    while (shared_.may_start()) {
      const auto [first, count] = shared_.TakeIndices(turns);
      if (count == 0) break;
      std::vector<rocm::Message> history;
      for (std::int64_t turn = 0; turn < count && (turn == 0 || shared_.may_start()); ++turn) {
        const RequestKey key{.stage = shared_.input.stage->name,
                             .round = shared_.input.round,
                             .index = first + turn,
                             .stream = stream,
                             .arrival = nullptr};
        PreparedRequest prepared =
            turns > 1 ? factory.MakeTurn(key, std::move(history)) : factory.Make(key);
        history = std::move(prepared.messages);
        MarkStarted(Now());
        std::string answer;
        const bool spoke =
            co_await RunOne(key, std::move(prepared), std::nullopt, turns > 1 ? &answer : nullptr);
        history.push_back({"assistant", std::move(answer)});
        // Without a server every attempt fails within microseconds; records need no flood of that.
        if (spoke) {
          backoff = kFirstBackoff;
        } else {
          co_await WaitUntil(Now() + backoff);
          backoff = std::min(backoff * 2, kMaxBackoff);
        }
      }
    }
  }

  asio::awaitable<void> OpenRequest(RequestKey key, PreparedRequest prepared, TimePoint due) {
    co_await RunOne(key, std::move(prepared), due, nullptr);
    --in_flight_;
    if (room_ != nullptr) room_->cancel();
  }

  asio::awaitable<void> Dispatch(const OpenLoop& loop) {
    Arrivals arrivals(loop);
    const int most = std::max(1, loop.max_in_flight / of_);
    const auto& stage = *shared_.input.stage;
    for (std::int64_t index = 0; !stage.requests || index < *stage.requests; ++index) {
      const auto at = arrivals.Next();
      if (!at || (stage.duration && *at >= *stage.duration)) break;
      if (index % of_ != id_) continue;
      const bool trace = loop.process == ArrivalProcess::kTrace;
      const RequestKey key{
          .stage = stage.name,
          .round = shared_.input.round,
          .index = index,
          .stream = 0,
          .arrival = trace ? &loop.trace[static_cast<std::size_t>(index)] : nullptr};
      // Before it is due, so that writing it delays nothing.
      PreparedRequest prepared = shared_.input.factory->Make(key);
      const TimePoint due = shared_.begin + *at;
      co_await WaitUntil(due);
      while (in_flight_ >= most && shared_.order.load() == StageOrder::kRun) {
        asio::steady_timer timer(context_, TimePoint::max());
        room_ = &timer;
        waiting_.insert(&timer);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        waiting_.erase(&timer);
        room_ = nullptr;
      }
      if (shared_.order.load() != StageOrder::kRun) break;
      ++in_flight_;
      MarkStarted(due);
      Spawn(OpenRequest(key, std::move(prepared), due));
    }
  }

  void MarkStarted(TimePoint due) {
    shared_.started.fetch_add(1, std::memory_order_relaxed);
    const std::int64_t ns = ToNs(due);
    std::int64_t last = shared_.last_start_ns.load(std::memory_order_relaxed);
    while (last < ns && !shared_.last_start_ns.compare_exchange_weak(last, ns)) {
    }
  }

  Shared& shared_;
  const int id_;
  const int of_;
  asio::io_context context_{1};
  std::unordered_set<std::shared_ptr<rocm::http::StreamCanceller>> cancellers_;
  std::unordered_set<asio::steady_timer*> waiting_;
  int in_flight_ = 0;
  asio::steady_timer* room_ = nullptr;
};

std::chrono::nanoseconds ThreadCpu() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

void ThreadMain(LoadThread& thread, Shared& shared) {
  const TimePoint begin = Now();
  const auto cpu_before = ThreadCpu();
  thread.Run();
  const auto cpu = ThreadCpu() - cpu_before;
  const auto wall = std::max(Now() - begin, rocm::Nanoseconds(1));
  shared.cpu_ns.fetch_add(cpu.count());
  const std::lock_guard lock(shared.mutex);
  shared.busiest = std::max(shared.busiest,
                            static_cast<double>(cpu.count()) / static_cast<double>(wall.count()));
  --shared.running_threads;
  shared.changed.notify_all();
}

StageProgress Progress(const Shared& shared) {
  return {.started = shared.started.load(),
          .finished = shared.finished.load(),
          .failed = shared.failed.load(),
          .tokens = shared.tokens.load(),
          .elapsed = Now() - shared.begin};
}

int Streams(const Stage& stage) {
  if (const auto* closed = std::get_if<ClosedLoop>(&stage.load)) return closed->concurrency;
  return std::get<OpenLoop>(stage.load).max_in_flight;
}

}  // namespace

int LoadThreads(int streams) {
  // One loop drives hundreds of streams; a second one only takes a core from the server.
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  return std::clamp((streams + 511) / 512, 1, cores);
}

StageOutcome RunStage(const StagePlanInput& input) {
  Shared shared(input);
  const int threads = input.threads > 0 ? input.threads : LoadThreads(Streams(*input.stage));
  shared.running_threads = threads;
  shared.begin = Now();
  if (input.stage->duration) shared.starting_ends = shared.begin + *input.stage->duration;

  std::vector<std::unique_ptr<LoadThread>> loops;
  for (int i = 0; i < threads; ++i) {
    loops.push_back(std::make_unique<LoadThread>(shared, i, threads));
  }
  std::vector<std::jthread> running;
  for (auto& loop : loops) {
    running.emplace_back([&loop = *loop, &shared] { ThreadMain(loop, shared); });
  }
  {
    std::unique_lock lock(shared.mutex);
    while (!shared.changed.wait_for(lock, kTick, [&] { return shared.running_threads == 0; })) {
      lock.unlock();
      const StageOrder order = input.on_tick ? input.on_tick(Progress(shared)) : StageOrder::kRun;
      if (order > shared.order.load()) {
        shared.order = order;
        for (auto& loop : loops) loop->Order(order);
      }
      lock.lock();
    }
  }
  running.clear();

  StageOutcome outcome;
  outcome.started = shared.started;
  outcome.begin_ns = ToNs(shared.begin);
  outcome.last_start_ns = shared.last_start_ns;
  outcome.end_ns = ToNs(Now());
  outcome.cpu = std::chrono::nanoseconds(shared.cpu_ns.load());
  outcome.busiest = shared.busiest;
  outcome.threads = threads;
  outcome.chunks = shared.chunks;
  outcome.cut_short = shared.order.load() != StageOrder::kRun;
  const double due_s = static_cast<double>(outcome.last_start_ns - outcome.begin_ns) * 1e-9;
  if (!std::holds_alternative<ClosedLoop>(input.stage->load) && due_s > 0) {
    outcome.offered_per_s = static_cast<double>(outcome.started) / due_s;
  }
  return outcome;
}

}  // namespace harness
