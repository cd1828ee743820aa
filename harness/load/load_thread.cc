// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/load_thread.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backend/base/clock.h"
#include "backend/http/completion_stream.h"
#include "harness/load/arrivals.h"
#include "harness/load/request_in_flight.h"

namespace harness {
namespace {

namespace asio = boost::asio;
using rocm::Now;
using rocm::TimePoint;
using rocm::ToNs;
using std::chrono::milliseconds;

constexpr milliseconds kFirstBackoff{10};
constexpr milliseconds kMaxBackoff{1'000};
// A server that sends more than this per token asked for is not answering the question.
constexpr std::uint64_t kBytesPerToken = 8 << 10;

}  // namespace

// All but Order() runs on its own thread.
class LoadThread::Loop {
 public:
  Loop(StageState& state, int id, int of) : state_(state), id_(id), of_(of) {}

  void Run() {
    if (const auto* closed = std::get_if<ClosedLoop>(&state_.input.stage->load)) {
      for (int stream = id_; stream < closed->concurrency; stream += of_) {
        Spawn(ClosedStream(*closed, stream));
      }
    } else {
      Spawn(Dispatch(std::get<OpenLoop>(state_.input.stage->load)));
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
    if (when <= Now() || state_.order.load() != StageOrder::kRun) co_return;
    asio::steady_timer timer(context_, when);
    waiting_.insert(&timer);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    waiting_.erase(&timer);
  }

  asio::awaitable<rocm::http::StreamEnd> Send(std::string body, int output_tokens,
                                              rocm::http::DeltaSink sink) {
    const Workload& workload = state_.input.factory->workload();
    rocm::http::StreamRequest request;
    request.api = state_.input.factory->api();
    request.body = std::move(body);
    request.deadline = workload.deadline;
    request.stall_timeout = workload.stall_timeout;
    request.max_stream_bytes =
        (1U << 20) + request.body.size() * 4 +
        kBytesPerToken * static_cast<std::uint64_t>(std::max(output_tokens, 0));
    const auto canceller = std::make_shared<rocm::http::StreamCanceller>();
    cancellers_.insert(canceller);
    // An order given before this stream was known.
    if (state_.order.load() == StageOrder::kCancel) {
      canceller->Cancel(rocm::ErrorCode::kCancelled);
    }
    auto end = co_await rocm::http::StreamCompletion(state_.input.endpoint, std::move(request),
                                                     std::move(sink), canceller);
    cancellers_.erase(canceller);
    co_return end;
  }

  // True when the server served it, be it in part.
  asio::awaitable<bool> RunOne(RequestKey key, PreparedRequest prepared,
                               std::optional<TimePoint> due, std::string* answer) {
    RequestInFlight request(state_, key, prepared);
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
    const bool served = request.done.record.ok() || request.done.record.first_token_ns != 0;
    state_.input.on_finished(std::move(request.done));
    co_return served;
  }

  asio::awaitable<void> ClosedStream(ClosedLoop loop, int stream) {
    co_await WaitUntil(state_.begin + loop.ramp * stream / std::max(loop.concurrency, 1));
    const RequestFactory& factory = *state_.input.factory;
    const int turns = factory.turns();
    milliseconds backoff = kFirstBackoff;
    while (state_.may_start()) {
      const auto [first, count] = state_.TakeIndices(turns);
      if (count == 0) break;
      std::vector<rocm::Message> history;
      for (std::int64_t turn = 0; turn < count && (turn == 0 || state_.may_start()); ++turn) {
        const RequestKey key{.stage = state_.input.stage->name,
                             .round = state_.input.round,
                             .index = first + turn,
                             .stream = stream,
                             .arrival = nullptr};
        PreparedRequest prepared =
            turns > 1 ? factory.MakeTurn(key, std::move(history)) : factory.Make(key);
        history = std::move(prepared.messages);
        MarkStarted(Now());
        std::string answer;
        const bool served =
            co_await RunOne(key, std::move(prepared), std::nullopt, turns > 1 ? &answer : nullptr);
        history.push_back({"assistant", std::move(answer)});
        // Without a server, or with one that refuses, attempts fail within microseconds; records
        // need no flood of that.
        if (served) {
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
    const auto& stage = *state_.input.stage;
    for (std::int64_t index = 0; !stage.requests || index < *stage.requests; ++index) {
      const auto at = arrivals.Next();
      if (!at || (stage.duration && *at >= *stage.duration)) break;
      if (index % of_ != id_) continue;
      const bool trace = loop.process == ArrivalProcess::kTrace;
      const RequestKey key{
          .stage = stage.name,
          .round = state_.input.round,
          .index = index,
          .stream = 0,
          .arrival = trace ? &loop.trace[static_cast<std::size_t>(index)] : nullptr};
      // Before it is due, so that writing it delays nothing.
      PreparedRequest prepared = state_.input.factory->Make(key);
      const TimePoint due = state_.begin + *at;
      co_await WaitUntil(due);
      while (in_flight_ >= most && state_.order.load() == StageOrder::kRun) {
        asio::steady_timer timer(context_, TimePoint::max());
        room_ = &timer;
        waiting_.insert(&timer);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        waiting_.erase(&timer);
        room_ = nullptr;
      }
      if (state_.order.load() != StageOrder::kRun) break;
      ++in_flight_;
      MarkStarted(due);
      Spawn(OpenRequest(key, std::move(prepared), due));
    }
  }

  void MarkStarted(TimePoint due) {
    state_.started.fetch_add(1, std::memory_order_relaxed);
    if (state_.input.on_started) state_.input.on_started();
    const std::int64_t ns = ToNs(due);
    std::int64_t last = state_.last_start_ns.load(std::memory_order_relaxed);
    while (last < ns && !state_.last_start_ns.compare_exchange_weak(last, ns)) {
    }
  }

  StageState& state_;
  const int id_;
  const int of_;
  // All I/O and every timer belong to this one thread; others only post.
  asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  std::unordered_set<std::shared_ptr<rocm::http::StreamCanceller>> cancellers_;
  std::unordered_set<asio::steady_timer*> waiting_;
  int in_flight_ = 0;
  asio::steady_timer* room_ = nullptr;
};

LoadThread::LoadThread(StageState& state, int id, int of)
    : loop_(std::make_unique<Loop>(state, id, of)) {}
LoadThread::~LoadThread() = default;
void LoadThread::Run() { loop_->Run(); }
void LoadThread::Order(StageOrder order) { loop_->Order(order); }

}  // namespace harness
