// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/engine/slots.h"

#include <algorithm>
#include <utility>

namespace mock {
namespace {

// A stored prompt of which less than this would be kept is left alone.
constexpr double kLeastKept = 0.25;
// A slot that would lose more than this share of its cache stores it first.
constexpr double kWorthStoring = 0.5;

// With more slots than these the search would cost more than the request.
constexpr std::size_t kMostIdleStored = 64;

double Share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::size_t CommonPrefix(const Tokens& a, const Tokens& b) {
  const std::size_t size = std::min(a.size(), b.size());
  const auto split =
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(size), b.begin());
  return static_cast<std::size_t>(split.first - a.begin());
}

Slots::Slots(int count, double similarity, std::size_t stored_prompts)
    : slots_(static_cast<std::size_t>(count)),
      similarity_(similarity),
      max_stored_(stored_prompts) {
  for (int id = 0; id < count; ++id) slots_[static_cast<std::size_t>(id)].id = id;
}

Slot* Slots::Choose(const Tokens& prompt) {
  if (busy_ == slots_.size()) return nullptr;
  Slot* best = nullptr;
  double best_similarity = similarity_;
  for (Slot& slot : slots_) {
    if (slot.busy || slot.tokens.empty() || similarity_ <= 0.0) continue;
    const double similarity = Share(CommonPrefix(slot.tokens, prompt), prompt.size());
    if (similarity > best_similarity) {
      best_similarity = similarity;
      best = &slot;
    }
  }
  if (best != nullptr) {
    Prepare(*best, prompt);
  } else {
    best = LeastRecent(nullptr);
    Exchange(*best, prompt);
  }
  return best;
}

void Slots::Prepare(Slot& slot, const Tokens& prompt) {
  if (slot.tokens.empty()) return;
  const double kept = Share(CommonPrefix(slot.tokens, prompt), slot.tokens.size());
  if (kept < kWorthStoring) Exchange(slot, prompt);
}

void Slots::Exchange(Slot& slot, const Tokens& prompt) {
  if (max_stored_ == 0) return;
  Store(slot.tokens);
  Restore(slot, prompt);
}

Slot* Slots::LeastRecent(const Slot* other) {
  Slot* least = nullptr;
  for (Slot& slot : slots_) {
    if (slot.busy || &slot == other) continue;
    if (least == nullptr || slot.last_used < least->last_used) least = &slot;
  }
  return least;
}

void Slots::Occupy(Slot& slot) {
  slot.busy = true;
  ++busy_;
}

void Slots::Release(Slot& slot, std::int64_t now) {
  slot.busy = false;
  slot.last_used = now;
  --busy_;
}

void Slots::StoreIdle() {
  if (max_stored_ == 0 || slots_.size() > kMostIdleStored) return;
  for (const Slot& slot : slots_) {
    if (!slot.busy) Store(slot.tokens);
  }
}

std::size_t Slots::free() const { return slots_.size() - busy_; }

std::size_t Slots::TokensHeld() const {
  std::size_t held = 0;
  for (const Slot& slot : slots_) held += slot.tokens.size();
  return held;
}

void Slots::ForgetIdle() {
  for (Slot& slot : slots_) {
    if (!slot.busy) slot.tokens.clear();
  }
}

void Slots::Store(const Tokens& tokens) {
  if (tokens.empty()) return;
  for (const Tokens& stored : stored_) {
    if (CommonPrefix(stored, tokens) == tokens.size()) return;
  }
  std::erase_if(stored_, [&tokens](const Tokens& stored) {
    return CommonPrefix(stored, tokens) == stored.size();
  });
  stored_.push_back(tokens);
  if (stored_.size() > max_stored_) stored_.pop_front();
}

void Slots::Restore(Slot& slot, const Tokens& prompt) {
  const std::size_t held = CommonPrefix(slot.tokens, prompt);
  double best_kept = slot.tokens.empty() ? -1.0 : Share(held, slot.tokens.size());
  double best_similarity = Share(held, prompt.size());
  auto best = stored_.end();
  for (auto stored = stored_.begin(); stored != stored_.end(); ++stored) {
    const std::size_t common = CommonPrefix(*stored, prompt);
    const double kept = Share(common, stored->size());
    const double similarity = Share(common, prompt.size());
    if (kept < kLeastKept || kept <= best_kept || similarity <= best_similarity) continue;
    best_kept = kept;
    best_similarity = similarity;
    best = stored;
  }
  if (best == stored_.end()) return;
  slot.tokens = std::move(*best);
  stored_.erase(best);
}

}  // namespace mock
