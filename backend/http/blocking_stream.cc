// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/blocking_stream.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "backend/http/completion_stream.h"
#include "backend/http/stream_canceller.h"
#include "backend/wire/error_reply.h"

namespace rocm::http {

namespace asio = boost::asio;

class BlockingStream::Runner {
 public:
  Runner(Endpoint endpoint, StreamRequest request)
      : endpoint_(std::move(endpoint)),
        request_(std::move(request)),
        canceller_(std::make_shared<StreamCanceller>()),
        io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE) {}

  ~Runner() {
    canceller_->Cancel(ErrorCode::kCancelled);
    // Let the coroutine see it: what it holds is released in its own order.
    while (started_ && !ended_) io_.run_one();
  }

  const StreamEvent* Next() {
    if (!started_) Start();
    if (dropped()) Discard();
    if (taken_ == filled_) {
      taken_ = filled_ = 0;
      while (filled_ == 0 && !ended_) io_.run_one();
      if (dropped()) Discard();
      if (taken_ == filled_) return nullptr;
    }
    return &events_[taken_++];
  }

  const StreamEnd& End() {
    while (Next() != nullptr) {
    }
    while (!ended_) io_.run_one();
    // The server's answer was whole, but the caller did not get all of it.
    if (lost_ && !end_.error) end_.error = CancellationError(*canceller_->state()->reason());
    return end_;
  }

  void Cancel(ErrorCode reason) { canceller_->Cancel(reason); }

 private:
  void Start() {
    started_ = true;
    asio::co_spawn(io_,
                   StreamCompletion(
                       std::move(endpoint_), std::move(request_),
                       [this](const wire::CompletionDelta& delta, TimePoint at, bool coalesced) {
                         return Put(delta, at, coalesced);
                       },
                       canceller_),
                   [this](std::exception_ptr thrown, StreamEnd end) {
                     end_ = std::move(end);
                     if (thrown) {
                       end_.error = wire::MakeError(ErrorCode::kInternal, "the stream threw");
                     }
                     ended_ = true;
                   });
  }

  // Within one run_one(): one read's events, so the buffer is bounded by the size of a read.
  bool Put(const wire::CompletionDelta& delta, TimePoint at, bool coalesced) {
    if (filled_ == events_.size()) events_.emplace_back();
    StreamEvent& event = events_[filled_++];
    event.delta = delta;
    event.at = at;
    event.coalesced = coalesced;
    return true;
  }

  void Discard() {
    lost_ = lost_ || taken_ < filled_;
    taken_ = filled_;
  }

  [[nodiscard]] bool dropped() const { return canceller_->cancelled(); }

  Endpoint endpoint_;
  StreamRequest request_;
  std::shared_ptr<StreamCanceller> canceller_;
  // Without locks: one thread at a time uses it, and cancelling does not go through it.
  asio::io_context io_;
  std::vector<StreamEvent> events_;  // reused from read to read
  std::size_t filled_ = 0;
  std::size_t taken_ = 0;
  bool started_ = false;
  bool ended_ = false;
  bool lost_ = false;  // events that nobody took, because of the canceller
  StreamEnd end_;
};

BlockingStream::BlockingStream(Endpoint endpoint, StreamRequest request)
    : runner_(std::make_unique<Runner>(std::move(endpoint), std::move(request))) {}
BlockingStream::~BlockingStream() = default;

const StreamEvent* BlockingStream::Next() { return runner_->Next(); }
const StreamEnd& BlockingStream::End() { return runner_->End(); }
void BlockingStream::Cancel(ErrorCode reason) { runner_->Cancel(reason); }

}  // namespace rocm::http
