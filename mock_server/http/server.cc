// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/http/server.h"

#include <netinet/tcp.h>
#include <sys/un.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <unordered_map>
#include <utility>

#include "mock_server/http/connection.h"

namespace mock {
namespace {

namespace asio = boost::asio;
using Protocol = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

// Timers run in rounds of this many, so that sockets get their turn when all is due at once.
constexpr std::size_t kRound = 256;
// Nothing due for as long as this: time for work that nobody waits for.
constexpr Ns kQuiet = 2 * kMillisecond;
constexpr int kBacklog = 4'096;

}  // namespace

class Server::Loop {
 public:
  Loop(ServerConfig config, TimerQueue& timers, Handler handler)
      : config_(std::move(config)),
        timers_(timers),
        handler_(std::move(handler)),
        acceptor_(context_),
        wake_(context_),
        signals_(context_) {
    timers_.OnEarlier([this] { ArmSoon(); });
  }

  bool Listen();
  void Accept();
  void Admit(Connection::Socket socket, std::string peer);
  void OnClosed(Connection& connection);
  void ArmSoon();
  void Arm();
  void RunTimers();
  void WaitForSignal();

  ServerConfig config_;
  TimerQueue& timers_;
  Handler handler_;
  asio::io_context context_{1};
  Acceptor acceptor_;
  asio::steady_timer wake_;
  asio::signal_set signals_;
  std::uint16_t port_ = 0;
  bool arming_ = false;
  Ns armed_for_ = 0;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::deque<std::pair<Connection::Socket, std::string>> waiting_;
  std::function<void()> on_signal_;
  std::function<void(bool)> on_round_;
};

bool Server::Loop::Listen() {
  boost::system::error_code error;
  const bool unix_socket = config_.host.ends_with(".sock");
  Protocol::endpoint endpoint;
  if (unix_socket) {
    if (config_.host.size() >= sizeof(sockaddr_un::sun_path)) return false;
    endpoint = asio::local::stream_protocol::endpoint(config_.host);
  } else {
    const std::string host = config_.host == "localhost" ? "127.0.0.1" : config_.host;
    const auto address = asio::ip::make_address(host, error);
    if (error) return false;
    endpoint = asio::ip::tcp::endpoint(address, config_.port);
  }
  acceptor_.open(endpoint.protocol(), error);
  if (error) return false;
  if (!unix_socket) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  acceptor_.bind(endpoint, error);
  if (error) return false;
  acceptor_.listen(kBacklog, error);
  if (error) return false;
  if (!unix_socket) {
    const auto local = acceptor_.local_endpoint(error);
    sockaddr_in in{};
    std::memcpy(&in, local.data(), std::min(sizeof in, local.size()));
    port_ = ntohs(in.sin_port);  // at the same place in an IPv6 address
  }
  Accept();
  return true;
}

void Server::Loop::Accept() {
  acceptor_.async_accept([this](boost::system::error_code error, Connection::Socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      std::string peer = "unix";
      if (!config_.host.ends_with(".sock")) {
        const int on = 1;
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        boost::system::error_code gone;
        const auto remote = socket.remote_endpoint(gone);
        sockaddr_in in{};
        if (!gone) std::memcpy(&in, remote.data(), std::min(sizeof in, remote.size()));
        peer = "tcp:" + std::to_string(ntohs(in.sin_port));
      }
      Admit(std::move(socket), std::move(peer));
    }
    Accept();
  });
}

void Server::Loop::Admit(Connection::Socket socket, std::string peer) {
  if (connections_.size() >= config_.max_connections) {
    waiting_.emplace_back(std::move(socket), std::move(peer));
    return;
  }
  const auto connection =
      std::make_shared<Connection>(std::move(socket), std::move(peer), timers_, handler_,
                                   [this](Connection& closed) { OnClosed(closed); });
  connections_.emplace(connection.get(), connection);
  connection->Start();
}

void Server::Loop::OnClosed(Connection& connection) {
  // Destroyed later: it may be in the middle of a call of its own.
  asio::post(context_, [gone = connection.shared_from_this()] {});
  connections_.erase(&connection);
  if (waiting_.empty() || connections_.size() >= config_.max_connections) return;
  auto [socket, peer] = std::move(waiting_.front());
  waiting_.pop_front();
  Admit(std::move(socket), std::move(peer));
}

void Server::Loop::ArmSoon() {
  if (arming_) return;
  arming_ = true;
  asio::post(context_, [this] {
    arming_ = false;
    RunTimers();
  });
}

void Server::Loop::RunTimers() {
  const std::size_t ran = timers_.Run(Now(), kRound);
  if (ran == kRound) {
    ArmSoon();
    return;
  }
  const bool quiet = timers_.empty() || timers_.next() - Now() > kQuiet;
  if (on_round_) on_round_(quiet);
  Arm();
}

void Server::Loop::Arm() {
  if (timers_.empty()) return;
  wake_.expires_at(asio::steady_timer::time_point(std::chrono::nanoseconds(timers_.next())));
  wake_.async_wait([this](boost::system::error_code error) {
    if (!error) RunTimers();
  });
}

void Server::Loop::WaitForSignal() {
  signals_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    on_signal_();
    WaitForSignal();
  });
}

Server::Server(ServerConfig config, TimerQueue& timers, Handler handler)
    : loop_(std::make_unique<Loop>(std::move(config), timers, std::move(handler))) {}

Server::~Server() { loop_->timers_.OnEarlier(nullptr); }

bool Server::Listen() { return loop_->Listen(); }

std::uint16_t Server::port() const { return loop_->port_; }

void Server::StopListening() {
  boost::system::error_code ignored;
  loop_->acceptor_.close(ignored);
}

void Server::CloseIdle() {
  const auto connections = loop_->connections_;
  for (const auto& [raw, connection] : connections) connection->CloseIfIdle();
  loop_->waiting_.clear();
}

void Server::OnSignal(std::function<void()> callback) {
  loop_->on_signal_ = std::move(callback);
  boost::system::error_code ignored;
  loop_->signals_.add(SIGTERM, ignored);
  loop_->signals_.add(SIGINT, ignored);
  loop_->WaitForSignal();
}

void Server::OnRound(std::function<void(bool)> callback) { loop_->on_round_ = std::move(callback); }

void Server::Run() {
  const auto work = asio::make_work_guard(loop_->context_);
  loop_->context_.run();
}

void Server::Stop() { loop_->context_.stop(); }

}  // namespace mock
