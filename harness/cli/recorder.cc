// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "harness/base/sha256.h"
#include "harness/measure/answer_quality.h"
#include "harness/measure/request_metrics.h"

namespace harness {
namespace {

// Of an answer that is compared token by token; what comes after is compared by its hash.
constexpr std::size_t kKeptIds = 1'024;
constexpr std::size_t kExcerpt = 48;

// The end of an answer, where repetition shows, on one line.
std::string Excerpt(std::string_view text) {
  std::string excerpt(text.size() > kExcerpt ? text.substr(text.size() - kExcerpt) : text);
  // Not from the middle of a character.
  while (!excerpt.empty() && (static_cast<unsigned char>(excerpt.front()) & 0xC0U) == 0x80U) {
    excerpt.erase(excerpt.begin());
  }
  std::ranges::replace_if(
      excerpt, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text.size() > kExcerpt ? "…" + excerpt : excerpt;
}

}  // namespace

Recorder::Recorder(RunWriter& writer, RunMetrics* metrics)
    : writer_(writer), metrics_(metrics), worker_([this] { Work(); }) {}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void Recorder::BeginStage(const Target* target, const std::vector<AnswerChecker>* checkers,
                          bool record, bool keep_ids) {
  const std::lock_guard lock(mutex_);
  target_ = target;
  checkers_ = checkers;
  record_ = record;
  keep_ids_ = keep_ids;
  stage_ = {};
  stage_.answers.resize(record ? checkers->size() : 0);
  ttft_ms_.clear();
}

void Recorder::Push(FinishedRequest&& request) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(request));
  }
  changed_.notify_all();
}

StageRecords Recorder::EndStage() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !busy_; });
  std::ranges::sort(stage_.records, {}, &RequestRecord::index);
  return std::exchange(stage_, {});
}

LiveStatistics Recorder::live() const {
  std::vector<double> ttft;
  {
    const std::lock_guard lock(mutex_);
    ttft = ttft_ms_;
  }
  if (ttft.empty()) return {};
  std::ranges::sort(ttft);
  const auto at = [&](double p) {
    return ttft[static_cast<std::size_t>(p * static_cast<double>(ttft.size() - 1))];
  };
  return {at(0.5), at(0.99), static_cast<std::int64_t>(ttft.size())};
}

void Recorder::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return quit_ || !queue_.empty(); });
    if (queue_.empty()) return;
    FinishedRequest request = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    Process(std::move(request));
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

// A death shows a moment after the streams that it cut. A living server that fails request after
// request must not cost that moment each time: at most a tenth of this thread goes there.
rocm::Error Recorder::Explain(const rocm::Error& error) {
  const rocm::TimePoint before = rocm::Now();
  if (before < next_wait_ && target_->alive()) return error;
  rocm::Error explained = target_->Explain(error);
  const rocm::TimePoint after = rocm::Now();
  if (explained.code == error.code) next_wait_ = after + 9 * (after - before);
  return explained;
}

void Recorder::Process(FinishedRequest&& request) {
  RequestRecord& record = request.record;
  if (request.error) {
    const rocm::Error explained = Explain(*request.error);
    record.outcome = rocm::ToString(explained.code);
    record.error = explained.message;
  }
  record.text_sha256 = Sha256Hex(record.text);
  std::vector<std::optional<std::string>> wrong;
  if (record_ && record.ok()) {
    for (const AnswerChecker& checker : *checkers_) wrong.push_back(checker.Wrong(request));
    // What the scenario knows to be right is right, however odd it looks. One token alone may be
    // part of a character, and says nothing.
    const bool known = std::ranges::any_of(wrong, [](const auto& w) { return !w.has_value(); });
    if (!known && record.tokens > 1) {
      record.degeneration = FindDegeneration(record.text, record.ids);
    }
  }
  if (record_) {
    (void)writer_.Request(record);  // it knows what it lost
    if (metrics_ != nullptr) metrics_->Observe(record);
  }

  const std::lock_guard lock(mutex_);
  if (!record_) {
    if (record.ok()) return;
    if (stage_.warm_up_failures++ == 0) stage_.first_failure = record.error;
    return;
  }
  if (record.ok()) {
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      AnswerTally& tally = stage_.answers[i];
      ++tally.asked;
      if (wrong[i] && tally.wrong++ == 0) tally.example = *wrong[i];
    }
    if (request.exact_output && record.tokens != request.output_tokens) {
      ++stage_.output_length_mismatches;
    }
    if (request.prompt_tokens >= 0 && record.prompt_tokens >= 0 &&
        record.prompt_tokens != request.prompt_tokens) {
      ++stage_.prompt_length_mismatches;
    }
    if (record.degeneration && stage_.degenerate++ == 0) {
      stage_.degenerate_example =
          fmt::format("{} in request {} of round {}: \"{}\"", ToString(*record.degeneration),
                      record.index, record.round, Excerpt(record.text));
    }
    if (const auto ttft = Measure(record).ttft_ms) ttft_ms_.push_back(*ttft);
  }
  // Statistics need times and counts only; texts of a long run would fill the memory.
  std::string().swap(record.text);
  if (keep_ids_) {
    record.ids.resize(std::min(record.ids.size(), kKeptIds));
    record.ids.shrink_to_fit();
  } else {
    std::vector<std::int32_t>().swap(record.ids);
  }
  stage_.records.push_back(std::move(record));
}

}  // namespace harness
