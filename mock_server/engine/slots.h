// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "mock_server/text/vocabulary.h"

namespace mock {

[[nodiscard]] std::size_t CommonPrefix(const Tokens& a, const Tokens& b);

struct Slot {
  int id = 0;
  bool busy = false;
  Tokens tokens;  // what its part of the KV cache holds
  std::int64_t last_used = -1;
};

// The slots of the server and what their KV caches hold; chooses a slot for a prompt by
// llama-server's rules: the most similar cache, else the least recently used.
class Slots {
 public:
  // `similarity`: the least share of the prompt that a cache must hold to attract it.
  // `stored_prompts`: caches kept aside when a slot is given to another conversation (--cache-ram).
  Slots(int count, double similarity, std::size_t stored_prompts);

  // A free slot for the prompt, its cache exchanged for a stored one where that fits better; null
  // when all are busy.
  [[nodiscard]] Slot* Choose(const Tokens& prompt);
  // Makes a free slot ready for a prompt that asked for it by number, its cache exchanged likewise.
  void Prepare(Slot& slot, const Tokens& prompt);
  // The free slot but `other` that was used the longest time ago; null when there is none.
  [[nodiscard]] Slot* LeastRecent(const Slot* other);

  // Keeps the caches of idle slots aside, as is done whenever a task starts.
  void StoreIdle();

  void Occupy(Slot& slot);
  void Release(Slot& slot, std::int64_t now);

  [[nodiscard]] std::size_t free() const;
  [[nodiscard]] std::size_t TokensHeld() const;
  void ForgetIdle();  // drops the caches of idle slots
  [[nodiscard]] std::vector<Slot>& all() { return slots_; }
  [[nodiscard]] const std::vector<Slot>& all() const { return slots_; }

 private:
  void Exchange(Slot& slot, const Tokens& prompt);
  void Store(const Tokens& tokens);
  void Restore(Slot& slot, const Tokens& prompt);

  std::vector<Slot> slots_;
  std::size_t busy_ = 0;
  double similarity_;
  std::size_t max_stored_;
  std::deque<Tokens> stored_;
};

}  // namespace mock
