// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/sse_decoder.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace rocm::wire {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::size_t Find(std::string_view bytes, char c) {
  if (bytes.empty()) return std::string_view::npos;
  const void* hit = std::memchr(bytes.data(), c, bytes.size());
  return hit == nullptr ? std::string_view::npos
                        : static_cast<std::size_t>(static_cast<const char*>(hit) - bytes.data());
}

}  // namespace

bool SseDecoder::mid_event() const {
  return !line_.empty() || has_data_ || !type_.empty() || !error_.empty();
}

bool SseDecoder::SkipByteOrderMark(Cursor& cursor) {
  while (bom_bytes_ < kByteOrderMark.size() && !cursor.left.empty() &&
         cursor.left.front() == kByteOrderMark[bom_bytes_]) {
    ++bom_bytes_;
    cursor.left.remove_prefix(1);
  }
  if (bom_bytes_ < kByteOrderMark.size()) {
    if (cursor.left.empty()) return false;
    // It only began like one: those bytes are text.
    line_.assign(kByteOrderMark.substr(0, bom_bytes_));
  }
  at_start_ = false;
  return true;
}

bool SseDecoder::TakeLine(Cursor& cursor, std::string_view& line) {
  // The next LF is remembered: a hostile stream of bare CRs would otherwise make every line search
  // all that is left.
  if (!cursor.lf_known) {
    const std::size_t lf = Find(cursor.left, '\n');
    cursor.before_lf = cursor.left.substr(0, lf);
    cursor.lf_known = true;
  }
  const std::size_t cr = Find(cursor.before_lf, '\r');
  if (cr != std::string_view::npos) {
    line = cursor.left.substr(0, cr);
    cursor.left.remove_prefix(cr + 1);
    cursor.before_lf.remove_prefix(cr + 1);
    after_cr_ = true;
    return true;
  }
  line = cursor.before_lf;
  if (line.size() == cursor.left.size()) return false;
  cursor.left.remove_prefix(line.size() + 1);
  cursor.lf_known = false;
  return true;
}

SseDecoder::Step SseDecoder::Advance(Cursor& cursor) {
  if (over_limit_) return Step::kLimit;
  if (at_start_ && !SkipByteOrderMark(cursor)) return Step::kNeedMore;
  Step step = Step::kNothing;
  while (step == Step::kNothing && !cursor.left.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (cursor.left.front() == '\n') {
        cursor.left.remove_prefix(1);
        cursor.lf_known = false;
        continue;
      }
    }
    std::string_view line;
    const bool whole = TakeLine(cursor, line);
    if (line.size() + line_.size() > options_.max_event_bytes) {
      step = Step::kLimit;
    } else if (!whole) {
      line_.append(line);
      cursor.left = {};
    } else if (line_.empty()) {
      step = OnLine(line, true);
    } else {
      line_.append(line);
      step = OnLine(line_, false);
      line_.clear();
    }
  }
  if (step == Step::kLimit) {
    over_limit_ = true;
    return step;
  }
  if (step == Step::kEvent) return step;
  // The caller's bytes are about to go away.
  if (data_borrowed_) KeepData();
  return Step::kNeedMore;
}

SseDecoder::Step SseDecoder::OnLine(std::string_view line, bool borrowed) {
  if (line.empty()) {
    if (has_data_ || (has_other_ && !error_.empty())) return Step::kEvent;
    if (has_other_) type_.clear();
    return Step::kNothing;
  }
  const std::size_t colon = Find(line, ':');
  if (colon == 0) return Step::kNothing;  // a comment
  const std::string_view name = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) {
    value = line.substr(colon + 1);
    if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  }
  if (name == "data") return OnData(value, borrowed);
  if (name == "event") {
    type_.assign(value);
    has_other_ = true;
  } else if (name == "id") {
    if (Find(value, '\0') == std::string_view::npos) id_.assign(value);
    has_other_ = true;
  } else if (name == "retry") {
    OnRetry(value);
  } else if (options_.report_error_lines && name == "error") {
    error_.assign(value);
    has_other_ = true;
  }
  return Step::kNothing;
}

SseDecoder::Step SseDecoder::OnData(std::string_view value, bool borrowed) {
  if (!has_data_ && borrowed) {
    has_data_ = true;
    data_borrowed_ = true;
    data_ = value;
    return Step::kNothing;
  }
  if (data_borrowed_) KeepData();
  if (data_buffer_.size() + value.size() + 1 > options_.max_event_bytes) return Step::kLimit;
  if (has_data_) data_buffer_.push_back('\n');
  data_buffer_.append(value);
  has_data_ = true;
  return Step::kNothing;
}

void SseDecoder::OnRetry(std::string_view value) {
  // Ten digits are four months; what is longer cannot be meant.
  const bool digits =
      !value.empty() && value.size() <= 10 &&
      std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return;
  std::int64_t ms = 0;
  for (const char c : value) ms = ms * 10 + (c - '0');
  retry_ = std::chrono::milliseconds(ms);
}

void SseDecoder::KeepData() {
  data_buffer_.assign(data_);
  data_ = {};
  data_borrowed_ = false;
}

SseEvent SseDecoder::Current() const {
  const std::string_view data = data_borrowed_ ? data_ : std::string_view(data_buffer_);
  if (!has_other_) return {data, {}, {}, {}};
  return {data, type_, id_, error_};
}

void SseDecoder::Reset() {
  if (!data_borrowed_) data_buffer_.clear();
  data_ = {};
  data_borrowed_ = false;
  has_data_ = false;
  if (has_other_) {
    type_.clear();
    error_.clear();
    has_other_ = !id_.empty();
  }
}

}  // namespace rocm::wire
