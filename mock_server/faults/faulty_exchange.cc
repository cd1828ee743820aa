// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/faulty_exchange.h"

#include <algorithm>
#include <utility>

namespace mock {
namespace {

constexpr double kDefaultGapMs = 2.0;

void ReplaceHeader(std::string& head, std::string_view name, const std::string& value) {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(start);
  if (at == std::string::npos) {
    const std::size_t first = head.find("\r\n");
    if (first != std::string::npos) head.insert(first, start + value);
    return;
  }
  const std::size_t from = at + start.size();
  head.replace(from, head.find("\r\n", from) - from, value);
}

}  // namespace

FaultyExchange::FaultyExchange(std::shared_ptr<Exchange> inner, const Faults& faults,
                               TimerQueue& timers, std::function<void(const Doom&)> doomed)
    : inner_(std::move(inner)),
      faults_(faults),
      doomed_(std::move(doomed)),
      timer_(timers, [this](Ns) { Pump(); }) {
  for (const Fault& fault : faults_) {
    if (fault.Is("delay")) {
      const double ms = fault.Number("ms", 0.0);
      stalled_ = ms < 0.0;
      delay_ = FromMs(std::max(0.0, ms));
    } else if (fault.Is("drip")) {
      piece_ = static_cast<std::size_t>(std::max<std::int64_t>(1, fault.Int("bytes", 1)));
      gap_ = FromMs(fault.Number("interval_ms", 1e3));
    } else if (fault.Is("split")) {
      for (const std::int64_t at : fault.Ints("at")) {
        splits_.push_back(static_cast<std::uint64_t>(at));
      }
      std::sort(splits_.begin(), splits_.end());
      piece_ = static_cast<std::size_t>(std::max<std::int64_t>(0, fault.Int("every", 0)));
      gap_ = FromMs(fault.Number("gap_ms", kDefaultGapMs));
    } else if (fault.Is("cut")) {
      cut_after_ =
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, fault.Int("after_bytes", 0)));
      cut_how_ = fault.Text("how", "close");
    }
  }
}

FaultyExchange::~FaultyExchange() { inner_->Watch(nullptr); }

void FaultyExchange::Watch(ExchangeListener* listener) {
  listener_ = listener;
  inner_->Watch(this);
}

void FaultyExchange::OnDisconnected() {
  timer_.Cancel();
  out_.clear();
  const auto keep = std::exchange(self_, nullptr);
  if (ExchangeListener* listener = std::exchange(listener_, nullptr)) listener->OnDisconnected();
}

void FaultyExchange::RewriteHead(std::string& bytes) const {
  std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos || !bytes.starts_with("HTTP/")) return;
  std::string head = bytes.substr(0, end + 2);
  for (const Fault& fault : faults_) {
    if (fault.Is("content-type")) {
      ReplaceHeader(head, "Content-Type", fault.Text("content_type", "text/plain"));
    } else if (fault.Is("header")) {
      ReplaceHeader(head, fault.Text("name", "X-Fault"), fault.Text("value", ""));
    } else if (fault.Is("content-length")) {
      const std::size_t body = bytes.size() - end - 4;
      ReplaceHeader(head, "Content-Length",
                    std::to_string(static_cast<std::int64_t>(body) + fault.Int("add", 10)));
    }
  }
  bytes.replace(0, end + 2, head);
}

void FaultyExchange::Send(std::string_view bytes) {
  std::string text(bytes);
  if (!started_) {
    started_ = true;
    self_ = shared_from_this();
    inner_->Watch(this);
    RewriteHead(text);
    if (delay_ > 0) timer_.Set(Now() + delay_);
  }
  out_ += text;
  Pump();
}

void FaultyExchange::Finish(Ending ending) {
  ending_ = ending;
  Pump();
}

std::size_t FaultyExchange::NextPiece() const {
  std::size_t size = piece_ > 0 ? std::min(piece_, out_.size()) : out_.size();
  for (const std::uint64_t at : splits_) {
    if (at <= passed_) continue;
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, at - passed_));
    break;
  }
  return size;
}

void FaultyExchange::Pump() {
  const auto keep = shared_from_this();
  while (!stalled_ && !timer_.pending() && (!out_.empty() || cut_after_ == passed_)) {
    std::size_t size = NextPiece();
    if (cut_after_) {
      size = static_cast<std::size_t>(std::min<std::uint64_t>(size, *cut_after_ - passed_));
    }
    if (size > 0) inner_->Send(std::string_view(out_).substr(0, size));
    out_.erase(0, size);
    passed_ += size;
    if (cut_after_ == passed_) {
      Cut();
      return;
    }
    // Two writes without time between them may be read as one.
    if (gap_ > 0 && !out_.empty()) timer_.Set(Now() + gap_);
  }
  if (stalled_ || timer_.pending() || !out_.empty() || !ending_) return;
  const Ending ending = *std::exchange(ending_, std::nullopt);
  self_.reset();
  inner_->Finish(ending);
}

void FaultyExchange::Cut() {
  stalled_ = true;
  out_.clear();
  if (const auto doom = ParseDoom(cut_how_)) {
    doomed_(*doom);
    return;
  }
  if (cut_how_ == "stall") return;
  ExchangeListener* listener = std::exchange(listener_, nullptr);
  inner_->Watch(nullptr);
  inner_->Finish(cut_how_ == "reset" ? Ending::kReset : Ending::kClose);
  self_.reset();
  // To the endpoint it is as if the client had gone.
  if (listener != nullptr) listener->OnDisconnected();
}

}  // namespace mock
