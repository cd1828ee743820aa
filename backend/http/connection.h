// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/error.h"
#include "backend/http/endpoint.h"
#include "backend/http/stream_canceller.h"

namespace rocm::http {

// Zero means none.
struct Timeouts {
  std::chrono::milliseconds connect{0};
  std::chrono::milliseconds stall{0};     // without a byte moving in either direction
  std::chrono::milliseconds deadline{0};  // from the start of Connect()
};

// What becomes of a response, read by read.
class ResponseReader {
 public:
  virtual ~ResponseReader() = default;
  // `used`: how many were read; the rest comes again, in front of what follows. False: nothing more
  // is wanted.
  virtual bool OnBytes(std::string_view bytes, TimePoint at, std::size_t& used) = 0;
  // The connection ended before OnBytes() had enough: `why`, or nothing where the server closed it.
  virtual void OnClosed(std::optional<Error> why) = 0;
};

// One TCP or Unix connection for one request and its response, with every wait bounded: a single
// timer watches all limits, and the canceller may end it from any thread. The io_context must be
// run by one thread.
class Connection {
 public:
  using Executor = boost::asio::io_context::executor_type;

  Connection(const Executor& executor, const Endpoint& endpoint, const Timeouts& timeouts,
             std::shared_ptr<StreamCanceller::State> canceller);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects, sends `head` and `body`, then reads until the reader is satisfied. An error here is
  // one before any response; later ones go to the reader.
  boost::asio::awaitable<std::optional<Error>> Exchange(std::string_view head,
                                                        std::string_view body,
                                                        ResponseReader& reader);

  // For a response that is worth no long wait: the connection ends within `limit` from now, as if
  // the server had closed it.
  void HurryUp(std::chrono::milliseconds limit);

  // Zero where the moment never came.
  TimePoint connect_started{};
  TimePoint connected{};
  TimePoint sent{};
  TimePoint first_byte{};

 private:
  // Executors of a known type: the type-erased ones cost as much as the system calls.
  using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;
  using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
  using Address = boost::asio::generic::stream_protocol::endpoint;
  class Watchdog;

  boost::asio::awaitable<std::optional<Error>> Connect();
  boost::asio::awaitable<std::optional<Error>> ConnectTo(const Address& address);
  boost::asio::awaitable<std::optional<Error>> Resolve(std::vector<Address>& addresses);
  boost::asio::awaitable<std::optional<Error>> Write(std::string_view head, std::string_view body);
  void Read();
  // What to do with the outcome of one receive; false: the response is over.
  bool OnRead(const boost::system::error_code& ec, std::size_t n);
  boost::asio::awaitable<void> Pause();
  // Why the connection was ended from our side, if it was.
  [[nodiscard]] std::optional<Error> Interruption() const;
  [[nodiscard]] Error TransportError(const boost::system::error_code& ec,
                                     std::string_view doing) const;
  void Close();

  const Endpoint& endpoint_;
  Timeouts timeouts_;
  Timer pause_;
  std::shared_ptr<Watchdog> watchdog_;
  std::function<void()> read_done_;
  std::optional<Error> expired_;
  // What each read touches, together.
  Socket socket_;
  std::shared_ptr<StreamCanceller::State> canceller_;
  ResponseReader* reader_ = nullptr;
  std::vector<char> buffer_;
  std::size_t kept_ = 0;  // bytes at its front that the reader did not use yet
  TimePoint last_activity_{};
  bool ended_by_us_ = false;
  bool hurried_ = false;
};

// The executor of the coroutine that asks, if it runs on an io_context.
[[nodiscard]] boost::asio::awaitable<std::optional<Connection::Executor>> IoContextExecutor();
// What to say if it does not.
[[nodiscard]] Error NotOnAnIoContext();

}  // namespace rocm::http
