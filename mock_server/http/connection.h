// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mock_server/engine/timer_queue.h"
#include "mock_server/http/exchange.h"

namespace mock {

// One client's connection: reads a request, is its exchange until the answer is complete, reads
// the next. Closes itself when idle for 5 s or after 100 requests.
class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Handler = std::function<void(std::shared_ptr<Exchange>)>;

  Connection(Socket socket, std::string peer, TimerQueue& timers, const Handler& handler,
             std::function<void(Connection&)> on_closed);
  ~Connection() override;

  void Start();
  void CloseIfIdle();
  void Close();

  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  [[nodiscard]] bool keep_alive() const override { return keep_alive_; }
  void Send(std::string_view bytes) override;
  void Finish(Ending ending) override;
  [[nodiscard]] std::size_t Unsent() const override { return out_.size(); }
  void Watch(ExchangeListener* listener) override { listener_ = listener; }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void ReadRequest();
  void OnRead(boost::system::error_code error);
  void TakeRequest();
  void Refuse();
  void WatchRead();
  void OnReadable(boost::system::error_code error);
  void Flush();
  void OnFlushed();
  void Reset();
  void Lost();

  Socket socket_;
  std::string peer_;
  const Handler& handler_;
  std::function<void(Connection&)> on_closed_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  ExchangeListener* listener_ = nullptr;
  std::string out_;  // what the kernel has not taken yet
  bool answering_ = false;
  bool keep_alive_ = true;
  bool waiting_to_write_ = false;
  bool watching_ = false;
  bool closed_ = false;
  std::optional<Ending> ending_;
  int requests_ = 0;
  Timer idle_;
};

}  // namespace mock
