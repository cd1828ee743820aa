// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "mock_server/engine/timer_queue.h"
#include "mock_server/http/exchange.h"

namespace mock {

struct ServerConfig {
  std::string host;  // an address, or a path that ends in ".sock"
  std::uint16_t port = 0;
  // Connections that are served at a time; others wait unread, as for a thread of llama-server's.
  std::size_t max_connections = 1'000'000;
};

// The event loop: listens, reads requests, writes answers, runs timers. One thread, no blocking.
class Server {
 public:
  using Handler = std::function<void(std::shared_ptr<Exchange>)>;

  Server(ServerConfig config, TimerQueue& timers, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // False when the address cannot be bound.
  [[nodiscard]] bool Listen();
  [[nodiscard]] std::uint16_t port() const;  // the real one, after Listen()
  void StopListening();
  // Closes what is idle; connections with an answer under way stay.
  void CloseIdle();

  // `callback` runs on SIGTERM and SIGINT from now on.
  void OnSignal(std::function<void()> callback);
  // `callback` runs between rounds of events; with `quiet` when nothing is due within a while.
  void OnRound(std::function<void(bool quiet)> callback);

  void Run();
  void Stop();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace mock
