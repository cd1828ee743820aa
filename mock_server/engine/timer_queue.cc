// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/engine/timer_queue.h"

#include <utility>

namespace mock {

Timer::Timer(TimerQueue& queue, std::function<void(Ns)> callback)
    : queue_(queue), callback_(std::move(callback)) {}

Timer::~Timer() { Cancel(); }

void Timer::Set(Ns at) {
  Cancel();
  at_ = at;
  queue_.Insert(*this);
}

void Timer::Cancel() {
  if (pending()) queue_.Remove(*this);
}

std::size_t TimerQueue::Run(Ns now, std::size_t limit) {
  std::size_t ran = 0;
  while (ran < limit && !heap_.empty() && heap_.front()->at_ <= now) {
    Timer& timer = *heap_.front();
    Remove(timer);
    ++ran;
    // Last use of `timer` here: the callback may destroy it.
    timer.callback_(timer.at_);
  }
  return ran;
}

void TimerQueue::Insert(Timer& timer) {
  timer.order_ = orders_++;
  heap_.push_back(&timer);
  timer.index_ = heap_.size() - 1;
  SiftUp(timer.index_);
  if (timer.index_ == 0 && on_earlier_) on_earlier_();
}

void TimerQueue::Remove(Timer& timer) {
  const std::size_t index = timer.index_;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last != &timer) {
    Place(index, last);
    SiftUp(index);
    SiftDown(last->index_);
  }
  timer.index_ = Timer::kIdle;
}

void TimerQueue::Place(std::size_t index, Timer* timer) {
  heap_[index] = timer;
  timer->index_ = index;
}

void TimerQueue::SiftUp(std::size_t index) {
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (!Before(*heap_[index], *heap_[parent])) return;
    Timer* above = heap_[parent];
    Place(parent, heap_[index]);
    Place(index, above);
    index = parent;
  }
}

void TimerQueue::SiftDown(std::size_t index) {
  while (true) {
    std::size_t first = index;
    for (const std::size_t child : {2 * index + 1, 2 * index + 2}) {
      if (child < heap_.size() && Before(*heap_[child], *heap_[first])) first = child;
    }
    if (first == index) return;
    Timer* below = heap_[first];
    Place(first, heap_[index]);
    Place(index, below);
    index = first;
  }
}

}  // namespace mock
