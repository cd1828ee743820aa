// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
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
  // False: nothing more is wanted.
  virtual bool OnBytes(std::string_view bytes, TimePoint at) = 0;
  // The connection ended before OnBytes() had enough: `why`, or nothing where the server closed it.
  virtual void OnClosed(std::optional<Error> why) = 0;
};

// One TCP or Unix connection for one request and its response, with every wait bounded: a single
// timer watches all limits, and the canceller may end it from any thread. Its executor must run
// one handler at a time: an io_context with one thread, or a strand.
class Connection {
 public:
  Connection(boost::asio::any_io_executor executor, const Endpoint& endpoint,
             const Timeouts& timeouts, std::shared_ptr<StreamCanceller::State> canceller);
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
  using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol>;
  using Address = boost::asio::generic::stream_protocol::endpoint;
  class Watchdog;

  boost::asio::awaitable<std::optional<Error>> Connect();
  boost::asio::awaitable<std::optional<Error>> ConnectTo(const Address& address);
  boost::asio::awaitable<std::optional<Error>> Resolve(std::vector<Address>& addresses);
  boost::asio::awaitable<std::optional<Error>> Write(std::string_view head, std::string_view body);
  boost::asio::awaitable<void> Read(ResponseReader& reader);
  boost::asio::awaitable<void> Pause();
  // Why the connection was ended from our side, if it was.
  [[nodiscard]] std::optional<Error> Interruption() const;
  [[nodiscard]] Error TransportError(const boost::system::error_code& ec,
                                     std::string_view doing) const;
  void Close();

  const Endpoint& endpoint_;
  Timeouts timeouts_;
  std::shared_ptr<StreamCanceller::State> canceller_;
  Socket socket_;
  boost::asio::steady_timer pause_;
  std::shared_ptr<Watchdog> watchdog_;
  std::vector<char> buffer_;
};

}  // namespace rocm::http
