// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/vram_release.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace harness {
namespace {

constexpr std::chrono::milliseconds kLook{5};
constexpr std::chrono::seconds kLongest{10};
// A driver's own bookkeeping stays.
constexpr double kReleasedShare = 0.9;

}  // namespace

ReleaseWatch::ReleaseWatch(std::vector<rocm::gpu::Device> devices, MemoryInUse before,
                           ExitWatch& watch, rocm::gpu::Places places)
    : devices_(std::move(devices)),
      before_(std::move(before)),
      watch_(watch),
      places_(std::move(places)) {
  for (const MemoryInUse::Card& card : before_.cards) {
    held_ += static_cast<std::int64_t>(card.of_process.value_or(0));
  }
  if (held_ > 0) thread_ = std::thread([this] { Watch(); });
}

ReleaseWatch::~ReleaseWatch() {
  quit_ = true;
  if (thread_.joinable()) thread_.join();
}

std::int64_t ReleaseWatch::Released() const {
  const MemoryInUse now = ReadMemoryInUse(devices_, -1, places_);
  std::int64_t released = 0;
  for (std::size_t i = 0; i < now.cards.size(); ++i) {
    const auto& then = before_.cards[i];
    if (!then.of_process || !then.used || !now.cards[i].used) continue;
    released +=
        static_cast<std::int64_t>(*then.used) - static_cast<std::int64_t>(*now.cards[i].used);
  }
  return released;
}

void ReleaseWatch::Watch() {
  while (!quit_ && watch_.Await(rocm::Now() + kLook) == 0) {
  }
  const rocm::TimePoint deadline = rocm::Now() + kLongest;
  while (!quit_ && rocm::Now() < deadline) {
    released_bytes_ = std::max(released_bytes_, Released());
    if (static_cast<double>(released_bytes_) >= kReleasedShare * static_cast<double>(held_)) {
      released_ns_ = rocm::ToNs(rocm::Now());
      return;
    }
    (void)::poll(nullptr, 0, static_cast<int>(kLook.count()));
  }
}

void ReleaseWatch::Finish(Injection& injection) {
  quit_ = true;
  if (!thread_.joinable()) return;
  thread_.join();
  injection.released_bytes = released_bytes_;
  if (released_ns_ != 0) injection.released_ns = released_ns_.load();
}

}  // namespace harness
