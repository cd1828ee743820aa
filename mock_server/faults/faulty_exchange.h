// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mock_server/engine/timer_queue.h"
#include "mock_server/faults/doom.h"
#include "mock_server/faults/fault.h"
#include "mock_server/http/exchange.h"

namespace mock {

// An exchange whose bytes pass through the faults of the wire: late, slowly, in pieces, cut short,
// or with another head. Lives until all bytes have passed, whoever else lets go of it.
class FaultyExchange final : public Exchange,
                             public ExchangeListener,
                             public std::enable_shared_from_this<FaultyExchange> {
 public:
  // `doomed` ends the process.
  FaultyExchange(std::shared_ptr<Exchange> inner, const Faults& faults, TimerQueue& timers,
                 std::function<void(const Doom&)> doomed);
  ~FaultyExchange() override;

  [[nodiscard]] const HttpRequest& request() const override { return inner_->request(); }
  [[nodiscard]] bool keep_alive() const override { return inner_->keep_alive(); }
  [[nodiscard]] std::size_t Unsent() const override { return out_.size() + inner_->Unsent(); }
  void Send(std::string_view bytes) override;
  void Finish(Ending ending) override;
  void Watch(ExchangeListener* listener) override;
  void OnDisconnected() override;

 private:
  void RewriteHead(std::string& bytes) const;
  void Pump();
  [[nodiscard]] std::size_t NextPiece() const;
  void Cut();

  std::shared_ptr<Exchange> inner_;
  Faults faults_;
  std::function<void(const Doom&)> doomed_;
  ExchangeListener* listener_ = nullptr;
  std::shared_ptr<FaultyExchange> self_;  // while bytes are under way
  std::string out_;
  std::uint64_t passed_ = 0;
  bool started_ = false;
  bool stalled_ = false;
  std::optional<Ending> ending_;

  std::vector<std::uint64_t> splits_;  // offsets in the answer, ascending
  std::size_t piece_ = 0;              // bytes at a time; 0: all
  Ns gap_ = 0;
  Ns delay_ = 0;
  std::optional<std::uint64_t> cut_after_;
  std::string cut_how_;
  Timer timer_;
};

}  // namespace mock
