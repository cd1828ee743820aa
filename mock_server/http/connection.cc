// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/http/connection.h"

#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/beast/http/read.hpp>
#include <cctype>
#include <utility>

namespace mock {
namespace {

namespace http = boost::beast::http;

constexpr Ns kIdle = 5 * kSecond;
constexpr int kMaxRequests = 100;
constexpr std::size_t kMaxHeaderLine = 8'192;
constexpr std::size_t kMaxHeaders = 100;
constexpr std::uint32_t kMaxHead = 4U << 20U;
constexpr std::uint64_t kMaxBody = 256ULL << 20U;
// A reader that stalls is buffered up to here; llama-server would go on for ever.
constexpr std::size_t kMaxOut = 256ULL << 20U;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

}  // namespace

Connection::Connection(Socket socket, std::string peer, TimerQueue& timers, const Handler& handler,
                       std::function<void(Connection&)> on_closed)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      handler_(handler),
      on_closed_(std::move(on_closed)),
      idle_(timers, [this](Ns) { CloseIfIdle(); }) {}

Connection::~Connection() = default;

void Connection::Start() { ReadRequest(); }

void Connection::CloseIfIdle() {
  if (!answering_) Close();
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  idle_.Cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  on_closed_(*this);
}

void Connection::Reset() {
  const linger hard{1, 0};
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  Close();
}

void Connection::ReadRequest() {
  answering_ = false;
  ending_.reset();
  listener_ = nullptr;
  parser_.emplace();
  parser_->header_limit(kMaxHead);
  parser_->body_limit(kMaxBody);
  idle_.Set(Now() + kIdle);
  http::async_read_header(socket_, buffer_, *parser_,
                          [self = shared_from_this()](boost::system::error_code error,
                                                      std::size_t) { self->OnRead(error); });
}

void Connection::OnRead(boost::system::error_code error) {
  if (closed_) return;
  if (error) {
    // What is not HTTP is answered; a connection that ended is not.
    const bool ended = error == http::error::end_of_stream ||
                       error == http::error::partial_message ||
                       error.category() == boost::system::system_category();
    if (ended) {
      Close();
    } else {
      Refuse();
    }
    return;
  }
  idle_.Cancel();
  answering_ = true;
  const auto& fields = parser_->get();
  std::size_t count = 0;
  for (const auto& field : fields) {
    ++count;
    if (field.name_string().size() + field.value().size() + 4 > kMaxHeaderLine) count = kMaxHeaders;
  }
  if (count >= kMaxHeaders) {
    Refuse();
    return;
  }
  if (fields[http::field::expect] == "100-continue") Send("HTTP/1.1 100 Continue\r\n\r\n");
  http::async_read(socket_, buffer_, *parser_,
                   [self = shared_from_this()](boost::system::error_code failed, std::size_t) {
                     if (self->closed_) return;
                     if (failed) {
                       self->Close();
                     } else {
                       self->TakeRequest();
                     }
                   });
}

void Connection::TakeRequest() {
  auto message = parser_->release();
  request_ = HttpRequest{};
  request_.method = std::string(message.method_string());
  const std::string_view target(message.target().data(), message.target().size());
  const std::size_t question = target.find('?');
  request_.path = std::string(target.substr(0, question));
  if (question != std::string_view::npos) request_.query = std::string(target.substr(question + 1));
  for (const auto& field : message) {
    request_.headers.emplace_back(Lower({field.name_string().data(), field.name_string().size()}),
                                  std::string(field.value()));
  }
  // HTTP/1.0 clients are told to keep the connection like all others.
  request_.keep_alive = Lower(request_.Header("connection")) != "close";
  request_.body = std::move(message.body());
  request_.peer = peer_;
  ++requests_;
  keep_alive_ = request_.keep_alive && requests_ < kMaxRequests;
  WatchRead();
  handler_(shared_from_this());
}

void Connection::Refuse() {
  answering_ = true;
  Send(
      "HTTP/1.1 400 Bad Request\r\nServer: llama.cpp\r\nConnection: close\r\n"
      "Content-Length: 0\r\n\r\n");
  Finish(Ending::kClose);
}

void Connection::WatchRead() {
  if (watching_) return;
  watching_ = true;
  socket_.async_wait(boost::asio::socket_base::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->watching_ = false;
                       self->OnReadable(error);
                     });
}

void Connection::OnReadable(boost::system::error_code error) {
  if (closed_ || error || !answering_) return;
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // More bytes are a request to come: they are read when this one is answered.
  if (got > 0) return;
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    WatchRead();
    return;
  }
  Lost();
}

void Connection::Lost() {
  if (closed_) return;
  const auto self = shared_from_this();
  if (ExchangeListener* listener = std::exchange(listener_, nullptr)) listener->OnDisconnected();
  out_.clear();
  Close();
}

void Connection::Send(std::string_view bytes) {
  if (closed_) return;
  if (out_.empty()) {
    while (!bytes.empty()) {
      const ssize_t sent =
          ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (bytes.empty()) return;
  }
  if (out_.size() + bytes.size() > kMaxOut) return;
  out_ += bytes;
  Flush();
}

void Connection::Flush() {
  if (waiting_to_write_ || closed_) return;
  waiting_to_write_ = true;
  socket_.async_wait(boost::asio::socket_base::wait_write,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->waiting_to_write_ = false;
                       if (self->closed_ || error) return;
                       self->OnFlushed();
                     });
}

void Connection::OnFlushed() {
  while (!out_.empty()) {
    const ssize_t sent =
        ::send(socket_.native_handle(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      Flush();
      return;
    }
    if (sent < 0) {
      Lost();
      return;
    }
    out_.erase(0, static_cast<std::size_t>(sent));
  }
  if (ending_) Finish(*ending_);
}

void Connection::Finish(Ending ending) {
  if (closed_) return;
  if (ending == Ending::kReset) {
    Reset();
    return;
  }
  ending_ = ending;
  if (!out_.empty()) return;
  if (ending == Ending::kClose) {
    Close();
  } else {
    ReadRequest();
  }
}

}  // namespace mock
