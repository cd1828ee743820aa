// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/scripted_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace rocm::http {
namespace {

bool WaitFor(int fd, short events, std::chrono::milliseconds limit) {
  pollfd entry{fd, events, 0};
  return ::poll(&entry, 1, static_cast<int>(limit.count())) > 0;
}

int ListenTcp(Endpoint& endpoint, int backlog) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, backlog) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen");
  }
  endpoint.host = "127.0.0.1";
  endpoint.port = ntohs(address.sin_port);
  return fd;
}

int ListenUnix(Endpoint& endpoint, std::string& folder, int backlog) {
  char name[] = "/tmp/rocm-http-XXXXXX";
  if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
  folder = name;
  endpoint.unix_path = folder + "/s.sock";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  endpoint.unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd, backlog) != 0) {
    throw std::runtime_error("cannot listen");
  }
  return fd;
}

void RemoveSocket(const Endpoint& endpoint, const std::string& folder) {
  if (folder.empty()) return;
  ::unlink(endpoint.unix_path.c_str());
  ::rmdir(folder.c_str());
}

}  // namespace

std::string Peer::ReadRequest() {
  std::string request;
  std::size_t wanted = std::string::npos;
  char bytes[16384];
  while (request.size() < wanted) {
    const ssize_t n = ::recv(fd_, bytes, sizeof(bytes), 0);
    if (n <= 0) return {};
    request.append(bytes, static_cast<std::size_t>(n));
    const std::size_t head = request.find("\r\n\r\n");
    if (wanted != std::string::npos || head == std::string::npos) continue;
    const std::size_t length = request.find("Content-Length: ");
    const std::size_t body =
        length < head ? std::strtoul(request.c_str() + length + 16, nullptr, 10) : 0;
    wanted = head + 4 + body;
  }
  return request;
}

bool Peer::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool Peer::WaitForClose(std::chrono::milliseconds limit) {
  const TimePoint end = Now() + limit;
  char bytes[4096];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Now());
    if (left.count() <= 0 || !WaitFor(fd_, POLLIN, left)) return false;
    if (::recv(fd_, bytes, sizeof(bytes), 0) <= 0) return true;
  }
}

void Peer::Drip(std::string_view bytes, std::size_t piece, std::chrono::milliseconds pause) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    if (!Send(part) || WaitForClose(pause)) return;
  }
}

void Peer::Close() { ::shutdown(fd_, SHUT_RDWR); }

void Peer::FinishSending() { ::shutdown(fd_, SHUT_WR); }

int Peer::Unacknowledged() const {
  int bytes = 0;
  ::ioctl(fd_, TIOCOUTQ, &bytes);
  return bytes;
}

void Peer::Reset() {
  // With a linger of zero, disconnecting (or closing) sends RST.
  const linger none{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  ::connect(fd_, &nowhere, sizeof(nowhere));
}

ScriptedServer::ScriptedServer(Script script, Kind kind, bool parallel)
    : script_(std::move(script)), parallel_(parallel) {
  listener_.reset(kind == Kind::kTcp ? ListenTcp(endpoint_, 4096)
                                     : ListenUnix(endpoint_, folder_, 512));
  acceptor_ = std::thread([this] { AcceptLoop(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  acceptor_.join();
  for (std::thread& worker : workers_) worker.join();
  RemoveSocket(endpoint_, folder_);
}

void ScriptedServer::AcceptLoop() {
  while (!stopping_) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    {
      const std::lock_guard lock(mutex_);
      open_.insert(fd);
    }
    if (stopping_) ::shutdown(fd, SHUT_RDWR);
    ++connections_;
    if (parallel_) {
      workers_.emplace_back([this, fd] { Serve(fd); });
    } else {
      Serve(fd);
    }
  }
}

void ScriptedServer::Serve(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  Peer peer(fd);
  script_(peer);
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

FullBacklog::FullBacklog(ScriptedServer::Kind kind) {
  const bool tcp = kind == ScriptedServer::Kind::kTcp;
  listener_.reset(tcp ? ListenTcp(endpoint_, 0) : ListenUnix(endpoint_, folder_, 0));
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  // The first few are queued by the kernel; the rest wait for room, or are refused it, like our
  // client will be.
  for (int i = 0; i < 8; ++i) {
    UniqueFd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
    clients_.push_back(std::move(fd));
  }
}

FullBacklog::~FullBacklog() { RemoveSocket(endpoint_, folder_); }

std::string Chunk(std::string_view data) {
  char size[20];
  std::snprintf(size, sizeof(size), "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}

}  // namespace rocm::http
