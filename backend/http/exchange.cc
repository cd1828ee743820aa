// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/exchange.h"

#include <exception>
#include <utility>

#include "backend/http/connection.h"
#include "backend/http/request_head.h"
#include "backend/http/response_parser.h"
#include "backend/wire/error_reply.h"

namespace rocm::http {
namespace {

namespace asio = boost::asio;
using wire::MakeError;

// Collects one whole response.
class ReplyReader : public ResponseReader {
 public:
  ReplyReader(const CallRequest& request, const Connection& connection)
      : connection_(connection),
        parser_({.body_bytes = request.max_body_bytes}, [this](std::string_view piece) {
          body_.append(piece);
          return true;
        }) {}

  bool OnBytes(std::string_view bytes, TimePoint, std::size_t& used) override {
    const auto status = parser_.Feed(bytes, used);
    if (status == ResponseParser::Status::kFailed) error_ = parser_.error();
    done_ = status == ResponseParser::Status::kDone;
    return status == ResponseParser::Status::kMore;
  }

  void OnClosed(std::optional<Error> why) override {
    if (why) {
      error_ = std::move(why);
    } else if (connection_.first_byte == TimePoint{}) {
      error_ = MakeError(ErrorCode::kConnectionReset,
                         "the server closed the connection without an answer");
    } else if (parser_.FeedEnd() == ResponseParser::Status::kDone) {
      done_ = true;
    } else {
      error_ = parser_.error();
    }
  }

  Result<Reply> Take() {
    if (!done_) return Fail(error_.value_or(MakeError(ErrorCode::kInternal, "no reply")));
    const ResponseHead& head = parser_.head();
    if (!head.content_encoding.empty() && head.content_encoding != "identity") {
      return Fail(ErrorCode::kProtocol,
                  "the server sent a compressed body, which was not asked "
                  "for: " +
                      wire::OneLine(head.content_encoding, 60));
    }
    return Reply{head.status,      head.content_type, head.server,
                 head.retry_after, head.location,     std::move(body_)};
  }

 private:
  const Connection& connection_;
  ResponseParser parser_;
  std::string body_;
  std::optional<Error> error_;
  bool done_ = false;
};

asio::awaitable<Result<Reply>> Run(const Endpoint& endpoint, const CallRequest& request,
                                   const std::shared_ptr<StreamCanceller::State>& canceller) {
  const auto head =
      RequestHead(request.method, endpoint, request.path, "application/json", request.body.size());
  if (!head) co_return Fail(head.error());
  const Timeouts timeouts{.connect = {}, .stall = {}, .deadline = request.deadline};
  const auto executor = co_await IoContextExecutor();
  if (!executor) co_return Fail(NotOnAnIoContext());
  Connection connection(*executor, endpoint, timeouts, canceller);
  ReplyReader reader(request, connection);
  const std::string_view body = request.method == "GET" ? std::string_view() : request.body;
  const auto error = co_await connection.Exchange(*head, body, reader);
  if (error) co_return Fail(*error);
  co_return reader.Take();
}

}  // namespace

asio::awaitable<Result<Reply>> Call(Endpoint endpoint, CallRequest request,
                                    std::shared_ptr<StreamCanceller> canceller) {
  Result<Reply> reply = Fail(ErrorCode::kInternal, "");
  // GCC 12 destroys temporaries of a conditional inside co_await twice.
  std::shared_ptr<StreamCanceller::State> state;
  if (canceller) state = canceller->state();
  try {
    reply = co_await Run(endpoint, request, state);
  } catch (const std::exception& e) {
    reply = Fail(ErrorCode::kInternal, std::string("while calling: ") + e.what());
  }
  if (!reply) RedactKey(endpoint, reply.error().message);
  co_return reply;
}

}  // namespace rocm::http
