// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mock_server/clock.h"

namespace mock::testing {

// One read from the socket.
struct Segment {
  std::string bytes;
  Ns at = 0;
};

enum class ReadEnd { kClosed, kReset, kTimeout, kEnough };

// Everything that came until the end.
struct RawAnswer {
  std::vector<Segment> segments;
  ReadEnd end = ReadEnd::kTimeout;

  [[nodiscard]] std::string Bytes() const;
  [[nodiscard]] std::string Head() const;  // with its blank line; empty when it never came
  [[nodiscard]] std::string Body() const;  // after the head, as it came
  [[nodiscard]] int Status() const;        // 0: no status line
};

// A client that knows nothing of HTTP but what a test writes: a plain socket.
class RawClient {
 public:
  static RawClient Tcp(std::uint16_t port);
  static RawClient Unix(const std::string& path);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_; }
  void Send(std::string_view bytes) const;
  // Until the peer ends, or the time is up, or `until` was seen, or `limit` bytes came.
  [[nodiscard]] RawAnswer Read(double seconds, std::string_view until = {},
                               std::size_t limit = 1U << 30U) const;
  void Close();

 private:
  RawClient(int fd, bool connected) : fd_(fd), connected_(connected) {}

  int fd_ = -1;
  bool connected_ = false;
};

[[nodiscard]] std::string HttpText(std::string_view method, std::string_view path,
                                   std::string_view body, std::string_view headers = {});

// One whole exchange on a connection of its own; reads until the answer is complete by its
// Content-Length, its last chunk or the end of the connection.
[[nodiscard]] RawAnswer Ask(std::uint16_t port, std::string_view method, std::string_view path,
                            std::string_view body = {}, std::string_view headers = {},
                            double seconds = 10.0);

// The payload of a chunked body; `complete` says whether its last chunk came.
[[nodiscard]] std::string Dechunk(std::string_view body, bool* complete = nullptr);

}  // namespace mock::testing
