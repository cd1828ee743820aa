// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "backend/wire/error_reply.h"

namespace rocm::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using wire::MakeError;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// One event fits; a connection that fills it gets more, so that thousands of idle ones stay small.
constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kLargestBuffer = 65536;
// How often waits without a descriptor (name resolution, a full backlog) look around.
constexpr std::chrono::milliseconds kPause{5};

// Boost 1.81 takes a Unix socket that was told to try again for one that is being connected, and,
// since it is writable at once, for connected.
bool HasPeer(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 || errno != ENOTCONN;
}

std::string Milliseconds(std::chrono::milliseconds limit) {
  return std::to_string(limit.count()) + " ms";
}

}  // namespace

// Holds the limits of one connection against the clock. One timer for all of them, which is set
// anew only when it fires: touching it at every read would cost more than the read.
class Connection::Watchdog : public std::enable_shared_from_this<Watchdog> {
 public:
  Watchdog(const Executor& executor, Connection& connection)
      : timer_(executor), connection_(&connection) {}

  void Start(TimePoint now) {
    start_ = now;
    Arm();
  }
  void Connected() { connecting_ = false; }
  void HurryUp(TimePoint until) {
    hurry_ = until;
    Arm();
  }
  // The connection is about to go away; the timer's handler may outlive it.
  void Stop() {
    connection_ = nullptr;
    timer_.cancel();
  }

 private:
  struct Limit {
    TimePoint at = TimePoint::max();
    ErrorCode code = ErrorCode::kInternal;
  };

  [[nodiscard]] Limit Nearest() const {
    const Timeouts& timeouts = connection_->timeouts_;
    Limit nearest;
    const auto consider = [&](bool active, TimePoint at, ErrorCode code) {
      if (active && at < nearest.at) nearest = {at, code};
    };
    consider(timeouts.deadline.count() > 0, start_ + timeouts.deadline,
             ErrorCode::kDeadlineExceeded);
    consider(connecting_ && timeouts.connect.count() > 0, start_ + timeouts.connect,
             ErrorCode::kStalled);
    consider(timeouts.stall.count() > 0, connection_->last_activity_ + timeouts.stall,
             ErrorCode::kStalled);
    consider(hurry_ != TimePoint::max(), hurry_, ErrorCode::kInternal);
    return nearest;
  }

  void Arm() {
    const Limit nearest = Nearest();
    if (nearest.at == TimePoint::max()) return;
    timer_.expires_at(nearest.at);
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec && self->connection_ != nullptr) self->OnTimer();
    });
  }

  void OnTimer() {
    const Limit nearest = Nearest();
    if (nearest.at > Now()) return Arm();
    const int fd = connection_->socket_.native_handle();
    int waiting = 0;
    if (nearest.code == ErrorCode::kStalled && !connecting_ &&
        ::ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0) {
      // The server did send; it was us who did not look (a blocking caller took its time).
      connection_->last_activity_ = Now();
      return Arm();
    }
    if (nearest.code == ErrorCode::kInternal) {
      connection_->hurried_ = true;
    } else {
      connection_->expired_ = MakeError(nearest.code, Describe(nearest.code));
      connection_->ended_by_us_ = true;
    }
    ::shutdown(fd, SHUT_RDWR);
  }

  [[nodiscard]] std::string Describe(ErrorCode code) const {
    const Timeouts& timeouts = connection_->timeouts_;
    if (code == ErrorCode::kDeadlineExceeded) {
      return "the call did not end within its deadline of " + Milliseconds(timeouts.deadline);
    }
    if (connecting_) return "no connection within " + Milliseconds(timeouts.connect);
    return "nothing from the server for " + Milliseconds(timeouts.stall);
  }

  Timer timer_;
  Connection* connection_;
  TimePoint start_{};
  TimePoint hurry_ = TimePoint::max();
  bool connecting_ = true;
};

Connection::Connection(const Executor& executor, const Endpoint& endpoint, const Timeouts& timeouts,
                       std::shared_ptr<StreamCanceller::State> canceller)
    : endpoint_(endpoint),
      timeouts_(timeouts),
      pause_(executor),
      watchdog_(std::make_shared<Watchdog>(executor, *this)),
      socket_(executor),
      canceller_(std::move(canceller)),
      buffer_(kFirstBuffer) {}

Connection::~Connection() {
  watchdog_->Stop();
  Close();
}

void Connection::Close() {
  if (canceller_) canceller_->Detach();
  error_code ignored;
  socket_.close(ignored);
}

std::optional<Error> Connection::Interruption() const {
  if (canceller_) {
    if (const auto reason = canceller_->reason()) return CancellationError(*reason);
  }
  return expired_;
}

Error Connection::TransportError(const error_code& ec, std::string_view doing) const {
  const std::string message = std::string(doing) + " " + endpoint_.ToString() + ": " + ec.message();
  if (ec == asio::error::connection_refused ||
      ec == boost::system::errc::no_such_file_or_directory) {
    return MakeError(ErrorCode::kConnectionRefused, message);
  }
  if (ec == asio::error::connection_reset || ec == asio::error::broken_pipe ||
      ec == asio::error::connection_aborted || ec == asio::error::eof ||
      ec == asio::error::not_connected) {
    return MakeError(ErrorCode::kConnectionReset, message);
  }
  // No route, no descriptors left, no permission: this machine's affair.
  return MakeError(ErrorCode::kIo, message);
}

void Connection::HurryUp(std::chrono::milliseconds limit) { watchdog_->HurryUp(Now() + limit); }

asio::awaitable<void> Connection::Pause() {
  pause_.expires_after(kPause);
  co_await pause_.async_wait(kAwait);
}

namespace {

// getaddrinfo cannot be interrupted, so it gets a thread that nobody waits for.
struct Lookup {
  std::atomic<bool> done{false};
  int error = 0;
  std::vector<asio::generic::stream_protocol::endpoint> found;
};

void LookUp(const std::string& host, const std::string& port, Lookup& lookup) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  lookup.error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    lookup.found.emplace_back(entry->ai_addr, entry->ai_addrlen, IPPROTO_TCP);
  }
  if (list != nullptr) ::freeaddrinfo(list);
  lookup.done.store(true, std::memory_order_release);
}

}  // namespace

asio::awaitable<std::optional<Error>> Connection::Resolve(std::vector<Address>& addresses) {
  const auto add = [&](const asio::ip::address& address) {
    addresses.emplace_back(asio::ip::tcp::endpoint(address, endpoint_.port));
  };
  error_code ec;
  const auto numeric = asio::ip::make_address(endpoint_.host, ec);
  if (!ec) {
    add(numeric);
    co_return std::nullopt;
  }
  if (endpoint_.host == "localhost") {
    add(asio::ip::address_v4::loopback());
    add(asio::ip::address_v6::loopback());
    co_return std::nullopt;
  }
  const auto lookup = std::make_shared<Lookup>();
  std::thread([host = endpoint_.host, port = std::to_string(endpoint_.port), lookup] {
    LookUp(host, port, *lookup);
  }).detach();
  while (!lookup->done.load(std::memory_order_acquire)) {
    co_await Pause();
    if (auto stop = Interruption()) co_return stop;
  }
  if (lookup->found.empty()) {
    co_return MakeError(
        ErrorCode::kConnectionRefused,
        "the host of " + endpoint_.ToString() + " is not known: " + ::gai_strerror(lookup->error));
  }
  addresses = std::move(lookup->found);
  co_return std::nullopt;
}

asio::awaitable<std::optional<Error>> Connection::ConnectTo(const Address& address) {
  for (;;) {
    error_code ec;
    socket_.open(address.protocol(), ec);
    if (ec) co_return TransportError(ec, "cannot open a socket for");
    if (canceller_) canceller_->Attach(socket_.native_handle());
    if (auto stop = Interruption()) co_return stop;
    std::tie(ec) = co_await socket_.async_connect(address, kAwait);
    if (auto stop = Interruption()) co_return stop;
    // A full backlog, which a Unix socket does not wait for.
    const bool full = ec == asio::error::try_again ||
                      (!ec && !endpoint_.unix_path.empty() && !HasPeer(socket_.native_handle()));
    if (!ec && !full) co_return std::nullopt;
    Close();
    if (!full) co_return TransportError(ec, "cannot connect to");
    co_await Pause();
    if (auto stop = Interruption()) co_return stop;
  }
}

asio::awaitable<std::optional<Error>> Connection::Connect() {
  connect_started = Now();
  last_activity_ = connect_started;
  watchdog_->Start(connect_started);
  std::vector<Address> addresses;
  if (!endpoint_.unix_path.empty()) {
    if (endpoint_.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
      co_return MakeError(ErrorCode::kInvalidArgument,
                          "the path of the socket is too long: " + endpoint_.unix_path);
    }
    addresses.emplace_back(asio::local::stream_protocol::endpoint(endpoint_.unix_path));
  }
  std::optional<Error> error;
  if (endpoint_.unix_path.empty()) error = co_await Resolve(addresses);
  if (error) co_return error;
  for (const Address& address : addresses) {
    error = co_await ConnectTo(address);
    if (!error) break;
    if (Interruption()) co_return error;
  }
  if (error) co_return error;
  connected = Now();
  last_activity_ = connected;
  watchdog_->Connected();
  if (endpoint_.unix_path.empty()) {
    const int on = 1;
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<Error>> Connection::Write(std::string_view head,
                                                        std::string_view body) {
  std::size_t done = 0;
  while (done < head.size() + body.size()) {
    const std::size_t of_head = std::min(done, head.size());
    const std::size_t of_body = done - of_head;
    const std::array<asio::const_buffer, 2> rest = {
        asio::const_buffer(head.data() + of_head, head.size() - of_head),
        asio::const_buffer(body.data() + of_body, body.size() - of_body)};
    const auto [ec, n] = co_await socket_.async_send(rest, kAwait);
    const TimePoint now = Now();
    if (auto stop = Interruption()) co_return stop;
    if (ec) co_return TransportError(ec, "cannot send to");
    last_activity_ = now;
    done += n;
    sent = now;
  }
  co_return std::nullopt;
}

bool Connection::OnRead(const error_code& ec, std::size_t n) try {
  const TimePoint at = Now();
  if (ended_by_us_ || (canceller_ && canceller_->reason())) [[unlikely]] {
    reader_->OnClosed(Interruption());
    return false;
  }
  if (ec || hurried_) [[unlikely]] {
    std::optional<Error> why;
    if (ec && ec != asio::error::eof && !hurried_) {
      why = TransportError(ec, "lost the connection to");
    }
    reader_->OnClosed(std::move(why));
    return false;
  }
  last_activity_ = at;
  if (first_byte == TimePoint{}) first_byte = at;
  const std::size_t size = kept_ + n;
  std::size_t used = 0;
  if (!reader_->OnBytes({buffer_.data(), size}, at, used)) return false;
  kept_ = size - used;
  if (kept_ > 0) std::memmove(buffer_.data(), buffer_.data() + used, kept_);
  // A full read promises more; and what is kept must leave room.
  const bool full = size == buffer_.size() && buffer_.size() < kLargestBuffer;
  if (full || kept_ > buffer_.size() / 2) buffer_.resize(2 * buffer_.size());
  return true;
} catch (const std::exception& e) {
  reader_->OnClosed(MakeError(ErrorCode::kInternal, std::string("while reading: ") + e.what()));
  return false;
}

// A plain callback from read to read, and not a coroutine that is resumed each time: that would
// cost as much as the system calls.
void Connection::Read() {
  const auto room = asio::buffer(buffer_.data() + kept_, buffer_.size() - kept_);
  socket_.async_receive(room, [this](const error_code& ec, std::size_t n) {
    if (OnRead(ec, n)) {
      Read();
    } else {
      // May destroy this connection.
      const auto done = std::move(read_done_);
      done();
    }
  });
}

asio::awaitable<std::optional<Error>> Connection::Exchange(std::string_view head,
                                                           std::string_view body,
                                                           ResponseReader& reader) {
  auto error = co_await Connect();
  if (error) co_return error;
  const auto write_error = co_await Write(head, body);
  if (write_error && Interruption()) co_return write_error;
  // A server may refuse a long body before it has read it: its answer then says more than the
  // broken pipe does.
  reader_ = &reader;
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this](auto&& handler) {
        // std::function wants to copy what it holds.
        auto resume = std::make_shared<std::decay_t<decltype(handler)>>(std::move(handler));
        read_done_ = [resume] { std::move (*resume)(); };
        Read();
      },
      asio::use_awaitable);
  Close();
  if (first_byte != TimePoint{}) co_return std::nullopt;
  co_return write_error;
}

asio::awaitable<std::optional<Connection::Executor>> IoContextExecutor() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto* known = executor.target<Connection::Executor>();
  std::optional<Connection::Executor> found;
  if (known != nullptr) found.emplace(*known);
  co_return found;
}

Error NotOnAnIoContext() {
  return MakeError(ErrorCode::kInvalidArgument,
                   "the coroutine must be spawned on an io_context, which one thread runs");
}

}  // namespace rocm::http
