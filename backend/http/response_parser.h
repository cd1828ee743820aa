// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/error.h"

namespace rocm::http {

struct ResponseHead {
  int status = 0;
  std::string content_type;
  std::string content_encoding;
  std::string transfer_encoding;
  std::string location;
  std::string retry_after;
  std::string server;
};

// One HTTP/1 response out of bytes, within limits. Interim (1xx) responses are passed over. No I/O.
// Not thread-safe.
class ResponseParser {
 public:
  struct Limits {
    std::size_t header_bytes = 64U << 10;  // also of a chunk's header
    std::size_t header_count = 256;
    std::uint64_t body_bytes = 16U << 20;
  };
  enum class Status {
    kMore,     // everything was read, more may come
    kDone,     // the message is complete
    kStopped,  // the sink said so
    kFailed,   // see error()
  };
  // Called with each piece of the body; the head is complete then. False stops.
  using BodySink = std::function<bool(std::string_view)>;

  ResponseParser(const Limits& limits, BodySink sink);
  ~ResponseParser();
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  // `used` says how many bytes were read; the caller keeps the rest (an incomplete header, of the
  // message or of a chunk, and never more than Limits::header_bytes) and puts it in front of what
  // comes next.
  [[nodiscard]] Status Feed(std::string_view bytes, std::size_t& used);
  // The connection ended. kDone where that ends the message properly, else kFailed.
  [[nodiscard]] Status FeedEnd();

  [[nodiscard]] bool head_done() const;
  [[nodiscard]] const ResponseHead& head() const;
  // kProtocol, kLimitExceeded or kTruncated.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  class Message;
  Status OnParserError(const boost::system::error_code& ec);
  Status Failed(ErrorCode code, std::string message);

  Limits limits_;
  BodySink sink_;
  std::unique_ptr<Message> message_;
  std::optional<Error> error_;
  int interim_ = 0;
};

}  // namespace rocm::http
