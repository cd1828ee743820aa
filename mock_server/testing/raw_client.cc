// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/testing/raw_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace mock::testing {

std::string RawAnswer::Bytes() const {
  std::string all;
  for (const Segment& segment : segments) all += segment.bytes;
  return all;
}

std::string RawAnswer::Head() const {
  const std::string all = Bytes();
  const std::size_t blank = all.find("\r\n\r\n");
  return blank == std::string::npos ? std::string() : all.substr(0, blank + 4);
}

std::string RawAnswer::Body() const { return Bytes().substr(Head().size()); }

int RawAnswer::Status() const {
  const std::string all = Bytes();
  return all.starts_with("HTTP/1.1 ") ? std::atoi(all.c_str() + 9) : 0;
}

RawClient RawClient::Tcp(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return {fd, result == 0};
}

RawClient RawClient::Unix(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return {fd, result == 0};
}

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}

RawClient::~RawClient() { Close(); }

void RawClient::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void RawClient::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

RawAnswer RawClient::Read(double seconds, std::string_view until, std::size_t limit) const {
  RawAnswer answer;
  const Ns end = Now() + FromMs(seconds * 1e3);
  std::string tail;
  std::size_t total = 0;
  std::string buffer(1U << 16U, '\0');
  while (true) {
    const Ns left = end - Now();
    pollfd poller{fd_, POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&poller, 1, static_cast<int>(left / kMillisecond + 1));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      answer.end = ReadEnd::kTimeout;
      return answer;
    }
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    const Ns at = Now();
    if (got <= 0) {
      answer.end = got == 0 ? ReadEnd::kClosed : ReadEnd::kReset;
      return answer;
    }
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    total += bytes.size();
    answer.segments.push_back({std::string(bytes), at});
    tail += bytes;
    if ((!until.empty() && tail.find(until) != std::string::npos) || total >= limit) {
      answer.end = ReadEnd::kEnough;
      return answer;
    }
    if (tail.size() > until.size()) tail.erase(0, tail.size() - until.size());
  }
}

std::string HttpText(std::string_view method, std::string_view path, std::string_view body,
                     std::string_view headers) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n{}", method, path, headers);
  if (!body.empty() || method == "POST") {
    text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  return text + "\r\n" + std::string(body);
}

RawAnswer Ask(std::uint16_t port, std::string_view method, std::string_view path,
              std::string_view body, std::string_view headers, double seconds) {
  const RawClient client = RawClient::Tcp(port);
  client.Send(HttpText(method, path, body, headers));
  RawAnswer answer = client.Read(seconds, "\r\n\r\n");
  if (answer.end != ReadEnd::kEnough) return answer;
  const std::string head = answer.Head();
  const std::size_t length = head.find("\r\nContent-Length: ");
  const Ns end = Now() + FromMs(seconds * 1e3);
  while (true) {
    if (length != std::string::npos) {
      const auto wanted =
          method == "HEAD" ? 0 : std::strtoull(head.c_str() + length + 18, nullptr, 10);
      if (answer.Body().size() >= wanted) return answer;
    }
    const double left = ToMs(end - Now()) / 1e3;
    RawAnswer more = client.Read(left, {}, 1);
    answer.segments.insert(answer.segments.end(), more.segments.begin(), more.segments.end());
    answer.end = more.end;
    if (more.end != ReadEnd::kEnough) return answer;
  }
}

std::string Dechunk(std::string_view body, bool* complete) {
  std::string payload;
  if (complete != nullptr) *complete = false;
  while (true) {
    const std::size_t line = body.find("\r\n");
    if (line == std::string_view::npos) return payload;
    const auto size = std::strtoull(std::string(body.substr(0, line)).c_str(), nullptr, 16);
    body.remove_prefix(line + 2);
    if (size == 0) {
      if (complete != nullptr) *complete = body == "\r\n";
      return payload;
    }
    payload += body.substr(0, size);
    if (body.size() < size + 2) return payload;
    body.remove_prefix(size + 2);
  }
}

}  // namespace mock::testing
