// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/endless.h"

#include <algorithm>
#include <utility>

namespace mock {
namespace {

constexpr std::size_t kPiece = 64U << 10U;
constexpr std::size_t kMostUnsent = 256U << 10U;
constexpr Ns kPause = kMillisecond;

}  // namespace

void Endless::Start(std::shared_ptr<Exchange> exchange, TimerQueue& timers, std::string pattern,
                    std::uint64_t limit) {
  auto endless = std::make_shared<Endless>(std::move(exchange), timers, std::move(pattern), limit);
  endless->self_ = endless;
  endless->exchange_->Watch(endless.get());
  endless->Write();
}

Endless::Endless(std::shared_ptr<Exchange> exchange, TimerQueue& timers, std::string pattern,
                 std::uint64_t limit)
    : exchange_(std::move(exchange)), left_(limit), timer_(timers, [this](Ns) { Write(); }) {
  while (block_.size() < kPiece) block_ += pattern;
}

Endless::~Endless() { exchange_->Watch(nullptr); }

void Endless::OnDisconnected() {
  timer_.Cancel();
  self_.reset();
}

void Endless::Write() {
  const auto keep = self_;
  for (int blocks = 0; blocks < 16 && left_ > 0 && exchange_->Unsent() < kMostUnsent; ++blocks) {
    const std::size_t size =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, block_.size()));
    left_ -= size;
    exchange_->Send(std::string_view(block_).substr(0, size));
    if (self_ == nullptr) return;
  }
  if (left_ > 0) {
    timer_.Set(Now() + kPause);
    return;
  }
  exchange_->Watch(nullptr);
  exchange_->Finish(Ending::kClose);
  self_.reset();
}

}  // namespace mock
