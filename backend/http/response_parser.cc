// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/response_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "backend/wire/error_reply.h"

namespace rocm::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

constexpr int kMaxInterim = 8;

std::string_view View(string_view text) { return {text.data(), text.size()}; }

// The sink's "stop", on its way through the parser.
error_code StopCode() {
  return boost::system::errc::make_error_code(boost::system::errc::operation_canceled);
}

}  // namespace

class ResponseParser::Message : public beast_http::basic_parser<false> {
 public:
  Message(const Limits& limits, const BodySink& sink) : limits_(limits), sink_(sink) {
    eager(true);
    header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    body_limit(limits.body_bytes);
  }

  // Beast asserts that the last chunk's header is seen with four bytes more, which is so unless it
  // is the first as well and comes in pieces. No first chunk is shorter than "0\r\n\r\n".
  [[nodiscard]] bool waits_for_first_chunk(std::size_t available) {
    return is_header_done() && chunked() && !chunk_begun_ && available < kShortestChunk;
  }

  ResponseHead head;

 private:
  static constexpr std::size_t kShortestChunk = 5;

  void on_request_impl(beast_http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { head.status = code; }
  void on_field_impl(beast_http::field name, string_view, string_view value,
                     error_code& ec) override {
    if (++fields_ > limits_.header_count) {
      ec = beast_http::error::header_limit;
      return;
    }
    switch (name) {
      case beast_http::field::content_type: head.content_type = View(value); break;
      case beast_http::field::content_encoding: head.content_encoding = View(value); break;
      case beast_http::field::transfer_encoding:
        // Several lines are one list.
        if (!head.transfer_encoding.empty()) head.transfer_encoding += ", ";
        head.transfer_encoding += View(value);
        break;
      case beast_http::field::location: head.location = View(value); break;
      case beast_http::field::retry_after: head.retry_after = View(value); break;
      case beast_http::field::server: head.server = View(value); break;
      default: break;
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code& ec) override {
    if (!sink_(View(body))) ec = StopCode();
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {
    chunk_begun_ = true;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override {
    return on_body_impl(body, ec);
  }
  void on_finish_impl(error_code&) override {}

  const Limits& limits_;
  const BodySink& sink_;
  std::size_t fields_ = 0;
  bool chunk_begun_ = false;
};

ResponseParser::ResponseParser(const Limits& limits, BodySink sink)
    : limits_(limits),
      sink_(std::move(sink)),
      message_(std::make_unique<Message>(limits_, sink_)) {}

ResponseParser::~ResponseParser() = default;

bool ResponseParser::head_done() const {
  return message_->is_header_done() && message_->head.status / 100 != 1;
}

const ResponseHead& ResponseParser::head() const { return message_->head; }

ResponseParser::Status ResponseParser::Failed(ErrorCode code, std::string message) {
  error_ = wire::MakeError(code, std::move(message));
  return Status::kFailed;
}

ResponseParser::Status ResponseParser::Feed(std::string_view bytes, std::size_t& used) {
  used = 0;
  if (error_) return Status::kFailed;
  for (;;) {
    if (message_->waits_for_first_chunk(bytes.size() - used)) return Status::kMore;
    error_code ec;
    used += message_->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
    if (ec == beast_http::error::need_more) {
      if (bytes.size() - used <= limits_.header_bytes) return Status::kMore;
      return Failed(ErrorCode::kLimitExceeded, "the header of a chunk is too large");
    }
    if (ec) return OnParserError(ec);
    if (message_->is_done()) {
      if (message_->head.status / 100 != 1) return Status::kDone;
      if (++interim_ > kMaxInterim) {
        return Failed(ErrorCode::kLimitExceeded, "too many interim responses");
      }
      message_ = std::make_unique<Message>(limits_, sink_);
    }
    if (used == bytes.size()) return Status::kMore;
  }
}

ResponseParser::Status ResponseParser::OnParserError(const error_code& ec) {
  if (ec == StopCode()) return Status::kStopped;
  if (ec == beast_http::error::header_limit) {
    return Failed(ErrorCode::kLimitExceeded, "the response's header is too large");
  }
  if (ec == beast_http::error::body_limit || ec == beast_http::error::buffer_overflow) {
    return Failed(ErrorCode::kLimitExceeded,
                  "the response's body, or one of its chunks, is too large");
  }
  return Failed(ErrorCode::kProtocol, "malformed HTTP: " + ec.message());
}

ResponseParser::Status ResponseParser::FeedEnd() {
  if (error_) return Status::kFailed;
  if (!message_->got_some())
    return Failed(ErrorCode::kTruncated, "the connection was closed before any answer");
  error_code ec;
  message_->put_eof(ec);
  if (ec) return Failed(ErrorCode::kTruncated, "the connection was closed within the response");
  return Status::kDone;
}

}  // namespace rocm::http
