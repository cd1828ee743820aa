// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rocm::wire {

// One server-sent event. Views are valid during the sink's call.
struct SseEvent {
  std::string_view data;
  std::string_view type;  // the `event` field; empty means "message"
  std::string_view id;    // the last event id so far
  // Not in the standard: older llama-servers report failures in a line `error: {…}`. Such an event
  // has this set when the decoder was told to look for it.
  std::string_view error;
};

// Turns a byte stream into server-sent events, by the rules of the WHATWG HTML standard ("Event
// stream interpretation"). Feed() may split an event at any byte; sinks see whole events only. An
// event without its blank line is never seen. Bytes are passed on as they came: invalid UTF-8 is
// the reader's to replace. An event that lies within one Feed() is not copied; nothing is allocated
// per event once the buffers have grown. Not thread-safe.
class SseDecoder {
 public:
  struct Options {
    std::size_t max_event_bytes = 2U << 20;  // of one line, and of the data of one event
    bool report_error_lines = false;
  };
  enum class Status {
    kMore,           // everything was read, more may come
    kStopped,        // the sink said so; the rest of the bytes was not looked at
    kLimitExceeded,  // for good: later calls say so too
  };

  SseDecoder() = default;
  explicit SseDecoder(const Options& options) : options_(options) {}

  // `sink` is called as bool(const SseEvent&) and returns false to stop.
  template <typename Sink>
  [[nodiscard]] Status Feed(std::string_view bytes, Sink&& sink) {
    Cursor cursor{bytes, {}, false};
    for (;;) {
      switch (Advance(cursor)) {
        case Step::kNeedMore: return Status::kMore;
        case Step::kLimit: return Status::kLimitExceeded;
        case Step::kNothing: break;
        case Step::kEvent: {
          const bool go_on = sink(Current());
          Reset();
          if (!go_on) return Status::kStopped;
        }
      }
    }
  }

  // The last `retry` field seen.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const { return retry_; }
  // Whether bytes of an event have come that has not ended yet.
  [[nodiscard]] bool mid_event() const;

 private:
  enum class Step { kNothing, kNeedMore, kEvent, kLimit };
  struct Cursor {
    std::string_view left;
    std::string_view before_lf;  // what is left up to the next LF, where that is known
    bool lf_known;
  };

  Step Advance(Cursor& cursor);
  // Takes one line, without its terminator, off the front; false when it is not complete.
  bool TakeLine(Cursor& cursor, std::string_view& line);
  bool SkipByteOrderMark(Cursor& cursor);
  Step OnLine(std::string_view line, bool borrowed);
  Step OnData(std::string_view value, bool borrowed);
  void OnRetry(std::string_view value);
  void KeepData();
  [[nodiscard]] SseEvent Current() const;
  void Reset();

  // Most streams have nothing but `data` lines that arrive whole: what those touch stands first.
  Options options_;
  std::string_view data_;  // where it lies within the caller's bytes
  std::string line_;       // the incomplete last line of earlier bytes
  bool at_start_ = true;
  bool after_cr_ = false;  // a LF that follows belongs to the line before
  bool has_data_ = false;
  bool data_borrowed_ = false;
  bool has_other_ = false;  // type_, id_ or error_ is set
  bool over_limit_ = false;
  std::string data_buffer_;  // where it does not
  std::string type_;
  std::string id_;
  std::string error_;
  std::optional<std::chrono::milliseconds> retry_;
  std::size_t bom_bytes_ = 0;
};

}  // namespace rocm::wire
