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
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
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

std::string Milliseconds(std::chrono::milliseconds limit) {
  return std::to_string(limit.count()) + " ms";
}

}  // namespace

// Holds the limits of one connection against the clock. One timer for all of them, which is set
// anew only when it fires: touching it at every read would cost more than the read.
class Connection::Watchdog : public std::enable_shared_from_this<Watchdog> {
 public:
  Watchdog(asio::any_io_executor executor, const Timeouts& timeouts)
      : timer_(std::move(executor)), timeouts_(timeouts) {}

  void Start(TimePoint now) {
    start_ = last_activity_ = now;
    Arm();
  }
  void Attach(int fd) { fd_ = fd; }
  void Connected(TimePoint now) {
    connecting_ = false;
    last_activity_ = now;
  }
  void Touch(TimePoint now) { last_activity_ = now; }
  void HurryUp(TimePoint until) {
    hurry_ = until;
    Arm();
  }
  void Stop() {
    stopped_ = true;
    timer_.cancel();
  }

  [[nodiscard]] bool hurried() const { return hurried_; }
  [[nodiscard]] const std::optional<Error>& expired() const { return expired_; }

 private:
  struct Limit {
    TimePoint at = TimePoint::max();
    ErrorCode code = ErrorCode::kInternal;
  };

  [[nodiscard]] Limit Nearest() const {
    Limit nearest;
    const auto consider = [&](bool active, TimePoint at, ErrorCode code) {
      if (active && at < nearest.at) nearest = {at, code};
    };
    consider(timeouts_.deadline.count() > 0, start_ + timeouts_.deadline,
             ErrorCode::kDeadlineExceeded);
    consider(connecting_ && timeouts_.connect.count() > 0, start_ + timeouts_.connect,
             ErrorCode::kStalled);
    consider(timeouts_.stall.count() > 0, last_activity_ + timeouts_.stall, ErrorCode::kStalled);
    consider(hurry_ != TimePoint::max(), hurry_, ErrorCode::kInternal);
    return nearest;
  }

  void Arm() {
    const Limit nearest = Nearest();
    if (stopped_ || nearest.at == TimePoint::max()) return;
    timer_.expires_at(nearest.at);
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec && !self->stopped_) self->OnTimer();
    });
  }

  void OnTimer() {
    const Limit nearest = Nearest();
    if (nearest.at > Now()) return Arm();
    int waiting = 0;
    if (nearest.code == ErrorCode::kStalled && !connecting_ &&
        ::ioctl(fd_, FIONREAD, &waiting) == 0 && waiting > 0) {
      // The server did send; it was us who did not look (a blocking caller took its time).
      last_activity_ = Now();
      return Arm();
    }
    if (nearest.code == ErrorCode::kInternal) {
      hurried_ = true;
    } else {
      expired_ = MakeError(nearest.code, Describe(nearest.code));
    }
    ::shutdown(fd_, SHUT_RDWR);
  }

  [[nodiscard]] std::string Describe(ErrorCode code) const {
    if (code == ErrorCode::kDeadlineExceeded) {
      return "the call did not end within its deadline of " + Milliseconds(timeouts_.deadline);
    }
    if (connecting_) return "no connection within " + Milliseconds(timeouts_.connect);
    return "nothing from the server for " + Milliseconds(timeouts_.stall);
  }

  asio::steady_timer timer_;
  Timeouts timeouts_;
  TimePoint start_{};
  TimePoint last_activity_{};
  TimePoint hurry_ = TimePoint::max();
  std::optional<Error> expired_;
  int fd_ = -1;
  bool connecting_ = true;
  bool hurried_ = false;
  bool stopped_ = false;
};

Connection::Connection(asio::any_io_executor executor, const Endpoint& endpoint,
                       const Timeouts& timeouts, std::shared_ptr<StreamCanceller::State> canceller)
    : endpoint_(endpoint),
      timeouts_(timeouts),
      canceller_(std::move(canceller)),
      socket_(executor),
      pause_(executor),
      watchdog_(std::make_shared<Watchdog>(executor, timeouts)),
      buffer_(kFirstBuffer) {}

Connection::~Connection() {
  watchdog_->Stop();
  Close();
}

void Connection::Close() {
  watchdog_->Attach(-1);
  if (canceller_) canceller_->Detach();
  error_code ignored;
  socket_.close(ignored);
}

std::optional<Error> Connection::Interruption() const {
  if (canceller_) {
    if (const auto reason = canceller_->reason()) {
      return MakeError(*reason, *reason == ErrorCode::kClosed ? "the model was closed"
                                                              : "the call was cancelled");
    }
  }
  return watchdog_->expired();
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
    watchdog_->Attach(socket_.native_handle());
    if (canceller_) canceller_->Attach(socket_.native_handle());
    if (auto stop = Interruption()) co_return stop;
    std::tie(ec) = co_await socket_.async_connect(address, kAwait);
    if (auto stop = Interruption()) co_return stop;
    if (!ec) co_return std::nullopt;
    Close();
    // What a Unix socket says when its backlog is full.
    if (ec != asio::error::try_again) co_return TransportError(ec, "cannot connect to");
    co_await Pause();
    if (auto stop = Interruption()) co_return stop;
  }
}

asio::awaitable<std::optional<Error>> Connection::Connect() {
  connect_started = Now();
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
  watchdog_->Connected(connected);
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
    watchdog_->Touch(now);
    done += n;
    sent = now;
  }
  co_return std::nullopt;
}

asio::awaitable<void> Connection::Read(ResponseReader& reader) {
  for (;;) {
    const auto [ec, n] = co_await socket_.async_receive(asio::buffer(buffer_), kAwait);
    const TimePoint at = Now();
    if (auto stop = Interruption()) co_return reader.OnClosed(std::move(stop));
    if (watchdog_->hurried() || ec == asio::error::eof) co_return reader.OnClosed(std::nullopt);
    if (ec) co_return reader.OnClosed(TransportError(ec, "lost the connection to"));
    watchdog_->Touch(at);
    if (first_byte == TimePoint{}) first_byte = at;
    if (!reader.OnBytes({buffer_.data(), n}, at)) co_return;
    if (n == buffer_.size() && n < kLargestBuffer) buffer_.resize(2 * n);
  }
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
  co_await Read(reader);
  Close();
  if (first_byte != TimePoint{}) co_return std::nullopt;
  co_return write_error;
}

}  // namespace rocm::http
