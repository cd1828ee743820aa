// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/unique_fd.h"
#include "backend/http/endpoint.h"

namespace rocm::http {

// For tests: the server's end of one connection, on a plain blocking socket. It shares nothing with
// the code under test.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  // The whole request, head and body; empty when the client went away.
  std::string ReadRequest();
  // False when the client went away.
  bool Send(std::string_view bytes);
  // Waits until the client closes or resets, at most this long.
  bool WaitForClose(std::chrono::milliseconds limit = std::chrono::seconds(20));
  // One piece after another, `pause` apart, until the client goes away or nothing is left.
  void Drip(std::string_view bytes, std::size_t piece, std::chrono::milliseconds pause);
  // The end of the connection, without or with RST.
  void Close();
  void Reset();
  void FinishSending();
  // Bytes sent that the client's application, or on TCP its kernel, has not taken yet.
  [[nodiscard]] int Unacknowledged() const;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// Listens on a loopback port or a Unix socket and runs the script for each connection, one after
// the other, or each on a thread of its own.
class ScriptedServer {
 public:
  enum class Kind { kTcp, kUnix };
  using Script = std::function<void(Peer&)>;

  explicit ScriptedServer(Script script, Kind kind = Kind::kTcp, bool parallel = false);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] int connections() const { return connections_.load(); }

 private:
  void AcceptLoop();
  void Serve(int fd);

  Script script_;
  bool parallel_;
  Endpoint endpoint_;
  std::string folder_;
  UniqueFd listener_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::set<int> open_;
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

// A listener that never accepts and whose backlog is full: connecting to it hangs, or, on a Unix
// socket, is to be tried again.
class FullBacklog {
 public:
  explicit FullBacklog(ScriptedServer::Kind kind = ScriptedServer::Kind::kTcp);
  ~FullBacklog();
  FullBacklog(const FullBacklog&) = delete;
  FullBacklog& operator=(const FullBacklog&) = delete;
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  std::string folder_;
  UniqueFd listener_;
  std::vector<UniqueFd> clients_;
  Endpoint endpoint_;
};

// "size CRLF data CRLF".
[[nodiscard]] std::string Chunk(std::string_view data);

}  // namespace rocm::http
