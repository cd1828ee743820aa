// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "mock_server/engine/timer_queue.h"
#include "mock_server/http/exchange.h"

namespace mock {

// Writes a pattern over and over until `limit` bytes are out or the client goes; then closes. As
// fast as the client reads, with little memory. Lives by itself.
class Endless final : public ExchangeListener {
 public:
  static void Start(std::shared_ptr<Exchange> exchange, TimerQueue& timers, std::string pattern,
                    std::uint64_t limit);
  Endless(std::shared_ptr<Exchange> exchange, TimerQueue& timers, std::string pattern,
          std::uint64_t limit);
  ~Endless() override;

  void OnDisconnected() override;

 private:
  void Write();

  std::shared_ptr<Exchange> exchange_;
  std::string block_;
  std::uint64_t left_;
  std::shared_ptr<Endless> self_;
  Timer timer_;
};

}  // namespace mock
