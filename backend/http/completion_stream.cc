// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/completion_stream.h"

#include <exception>
#include <utility>

#include "backend/http/connection.h"
#include "backend/http/request_head.h"
#include "backend/http/response_parser.h"
#include "backend/wire/completion_decoder.h"
#include "backend/wire/error_reply.h"
#include "backend/wire/sse_decoder.h"

namespace rocm::http {
namespace {

namespace asio = boost::asio;
using wire::MakeError;

constexpr std::size_t kMaxErrorBody = 64U << 10;
// An error's status is known; its text is worth a moment, not the stream's deadline.
constexpr std::chrono::milliseconds kErrorBodyTime{1'000};

bool IsEventStream(std::string_view content_type) {
  constexpr std::string_view kType = "text/event-stream";
  if (content_type.size() < kType.size()) return false;
  for (std::size_t i = 0; i < kType.size(); ++i) {
    const char c = content_type[i];
    if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != kType[i]) return false;
  }
  const std::string_view rest = content_type.substr(kType.size());
  return rest.empty() || rest[0] == ';' || rest[0] == ' ' || rest[0] == '\t';
}

bool IsPlain(std::string_view coding, std::string_view plain) {
  return coding.empty() || coding == plain;
}

// Turns the bytes of a response into calls of the sink, and its end into an error or none.
class CompletionReader : public ResponseReader {
 public:
  CompletionReader(const StreamRequest& request, const DeltaSink& sink, Connection& connection,
                   const StreamCanceller::State* canceller)
      : sink_(sink),
        connection_(connection),
        canceller_(canceller),
        parser_({.body_bytes = request.max_stream_bytes},
                [this](std::string_view piece) { return OnBody(piece); }),
        sse_({.max_event_bytes = request.max_event_bytes, .report_error_lines = true}),
        decoder_(request.api) {}

  bool OnBytes(std::string_view bytes, TimePoint at, std::size_t& used) override {
    read_at_ = at;
    first_of_read_ = true;
    const auto status = parser_.Feed(bytes, used);
    if (parser_.head_done() && !judged_) JudgeHead();
    switch (status) {
      case ResponseParser::Status::kMore: return true;
      case ResponseParser::Status::kStopped: break;
      case ResponseParser::Status::kDone: OnMessageEnd(std::nullopt); break;
      case ResponseParser::Status::kFailed: OnMessageEnd(parser_.error()); break;
    }
    return false;
  }

  void OnClosed(std::optional<Error> why) override {
    if (why) return OnMessageEnd(std::move(why));
    const bool proper = parser_.FeedEnd() == ResponseParser::Status::kDone;
    if (parser_.head_done() && !judged_) JudgeHead();
    if (connection_.first_byte == TimePoint{}) {
      return Set(MakeError(ErrorCode::kConnectionReset,
                           "the server closed the connection without an answer"));
    }
    OnMessageEnd(proper ? std::nullopt : parser_.error());
  }

  [[nodiscard]] TimePoint last_read() const { return read_at_; }

  void Report(StreamEnd& end) const {
    end.error = error_;
    end.http_status = parser_.head_done() ? parser_.head().status : 0;
    end.completion = decoder_.completion();
    end.tokens = decoder_.tokens();
    end.token_source = decoder_.token_source();
    end.events = decoder_.events();
  }

 private:
  void Set(Error error) {
    if (!error_) error_ = std::move(error);
  }

  // Whether this is a stream at all.
  void JudgeHead() {
    judged_ = true;
    const ResponseHead& head = parser_.head();
    is_stream_ = head.status == 200 && IsEventStream(head.content_type) &&
                 IsPlain(head.content_encoding, "identity") &&
                 IsPlain(head.transfer_encoding, "chunked");
    if (!is_stream_) connection_.HurryUp(kErrorBodyTime);
  }

  bool OnBody(std::string_view piece) {
    if (!judged_) JudgeHead();
    if (!is_stream_) {
      other_body_.append(piece.substr(0, kMaxErrorBody - other_body_.size()));
      if (other_body_.size() < kMaxErrorBody) return true;
      OnMessageEnd(std::nullopt);
      return false;
    }
    const auto status = sse_.Feed(piece, [this](const wire::SseEvent& e) { return OnEvent(e); });
    if (status == wire::SseDecoder::Status::kLimitExceeded) {
      Set(MakeError(ErrorCode::kLimitExceeded, "an event of the stream is too large"));
    }
    return status == wire::SseDecoder::Status::kMore;
  }

  bool OnEvent(const wire::SseEvent& event) {
    // One for all streams of the thread: thousands of them would push each other out of the cache.
    thread_local wire::CompletionDelta delta;
    decoder_.Decode(event, delta);
    if (delta.error) {
      Set(*delta.error);
      return false;
    }
    const bool end = delta.end;
    const bool wanted = sink_(delta, read_at_, !first_of_read_);
    first_of_read_ = false;
    if (!wanted) {
      Set(MakeError(ErrorCode::kCancelled, "the receiver of the stream ended it"));
      return false;
    }
    if (canceller_ != nullptr && canceller_->reason()) {
      Set(MakeError(*canceller_->reason(), "the call was cancelled"));
      return false;
    }
    return !end;
  }

  // The response is over, by itself or for the reason given, and no end marker was seen.
  void OnMessageEnd(std::optional<Error> why) {
    const bool ours =
        why && (why->code == ErrorCode::kCancelled || why->code == ErrorCode::kClosed ||
                why->code == ErrorCode::kDeadlineExceeded);
    if (judged_ && !is_stream_ && !ours) return Set(RefusalError());
    if (why && why->code != ErrorCode::kTruncated) return Set(std::move(*why));
    Set(MakeError(ErrorCode::kTruncated, "the stream ended after " +
                                             std::to_string(decoder_.events()) +
                                             " events, without its end marker"));
  }

  // The status, or the type of content, said that this is no stream.
  [[nodiscard]] Error RefusalError() const {
    const ResponseHead& head = parser_.head();
    if (head.status == 200) {
      // Some servers report errors under 200.
      Error error = MakeError(ErrorCode::kProtocol, "");
      if (!IsPlain(head.content_encoding, "identity") ||
          !IsPlain(head.transfer_encoding, "chunked")) {
        error.message = "the server sent a compressed body, which was not asked for: " +
                        wire::OneLine(head.content_encoding + " " + head.transfer_encoding, 60);
      } else {
        error.message = "the server answered 200 with " +
                        (head.content_type.empty() ? std::string("no content type")
                                                   : wire::OneLine(head.content_type, 60)) +
                        " where text/event-stream was due: " + wire::OneLine(other_body_, 120);
      }
      error.http_status = 200;
      return error;
    }
    return wire::ErrorFromReply({.status = head.status,
                                 .content_type = head.content_type,
                                 .body = other_body_,
                                 .retry_after = head.retry_after,
                                 .location = head.location});
  }

  const DeltaSink& sink_;
  Connection& connection_;
  const StreamCanceller::State* canceller_;
  ResponseParser parser_;
  wire::SseDecoder sse_;
  wire::CompletionDecoder decoder_;
  std::string other_body_;
  std::optional<Error> error_;
  TimePoint read_at_{};
  bool first_of_read_ = true;
  bool judged_ = false;
  bool is_stream_ = false;
};

asio::awaitable<void> Run(const Endpoint& endpoint, const StreamRequest& request,
                          const DeltaSink& sink,
                          const std::shared_ptr<StreamCanceller::State>& canceller,
                          StreamEnd& end) {
  const auto head = RequestHead("POST", endpoint, wire::Path(request.api), "text/event-stream",
                                request.body.size());
  if (!head) {
    end.error = head.error();
    co_return;
  }
  const Timeouts timeouts{.connect = request.connect_timeout,
                          .stall = request.stall_timeout,
                          .deadline = request.deadline};
  const auto executor = co_await IoContextExecutor();
  if (!executor) {
    end.error = NotOnAnIoContext();
    co_return;
  }
  Connection connection(*executor, endpoint, timeouts, canceller);
  CompletionReader reader(request, sink, connection, canceller.get());
  try {
    auto error = co_await connection.Exchange(*head, request.body, reader);
    reader.Report(end);
    if (error) end.error = std::move(error);
  } catch (const std::exception& e) {
    reader.Report(end);
    end.error = MakeError(ErrorCode::kInternal, std::string("while streaming: ") + e.what());
  }
  end.times.connect_started = connection.connect_started;
  end.times.connected = connection.connected;
  end.times.sent = connection.sent;
  end.times.first_byte = connection.first_byte;
  end.times.finished = end.error ? Now() : reader.last_read();
}

}  // namespace

asio::awaitable<StreamEnd> StreamCompletion(Endpoint endpoint, StreamRequest request,
                                            DeltaSink sink,
                                            std::shared_ptr<StreamCanceller> canceller) {
  StreamEnd end;
  // GCC 12 destroys temporaries of a conditional inside co_await twice.
  std::shared_ptr<StreamCanceller::State> state;
  if (canceller) state = canceller->state();
  co_await Run(endpoint, request, sink, state, end);
  if (end.error) RedactKey(endpoint, end.error->message);
  co_return end;
}

}  // namespace rocm::http
