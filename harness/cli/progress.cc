// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace harness {
namespace {

constexpr std::chrono::milliseconds kRedraw{200};

double Seconds(std::chrono::nanoseconds t) { return static_cast<double>(t.count()) * 1e-9; }

std::size_t TerminalWidth() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

// What is left of the stage, by the slower of its two bounds that is known.
std::optional<double> SecondsLeft(const Stage& stage, const StageProgress& progress) {
  const double elapsed = Seconds(progress.elapsed);
  std::optional<double> left;
  if (stage.requests && progress.finished > 0) {
    const double per_request = elapsed / static_cast<double>(progress.finished);
    left = per_request * static_cast<double>(*stage.requests - progress.finished);
  }
  if (stage.duration) {
    const double by_time = Seconds(*stage.duration) - elapsed;
    left = left ? std::min(*left, by_time) : by_time;
  }
  return left ? std::optional(std::max(0.0, *left)) : std::nullopt;
}

}  // namespace

std::string DescribeProgress(const Stage& stage, const StageProgress& progress,
                             const LiveStatistics& live) {
  std::string text = stage.requests ? fmt::format("{}/{}", progress.finished, *stage.requests)
                                    : fmt::format("{} done", progress.finished);
  if (progress.failed > 0) text += fmt::format(" · {} failed", progress.failed);
  const double elapsed = Seconds(progress.elapsed);
  if (progress.tokens > 0 && elapsed > 0) {
    text += fmt::format(" · {:.0f} tok/s", static_cast<double>(progress.tokens) / elapsed);
  }
  if (live.n > 0) {
    text += fmt::format(" · TTFT p50 {:.3g} p99 {:.3g} ms", live.ttft_p50_ms, live.ttft_p99_ms);
  }
  if (const auto left = SecondsLeft(stage, progress)) text += fmt::format(" · ETA {:.0f} s", *left);
  return text;
}

Progress::Progress(bool silent)
    : style_(silent                         ? Style::kSilent
             : ::isatty(STDERR_FILENO) == 1 ? Style::kTerminal
                                            : Style::kLines) {}

Progress::~Progress() { Clear(); }

void Progress::Clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

void Progress::Say(std::string_view line) {
  if (style_ == Style::kSilent) return;
  Clear();
  fmt::print(stderr, "{}\n", line);
}

void Progress::Phase(std::string_view text) {
  if (style_ == Style::kLines) Say(text);
  if (style_ != Style::kTerminal) return;
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::Stage(std::string_view label, const harness::Stage& stage,
                     const StageProgress& progress, const Recorder& recorder) {
  if (style_ != Style::kTerminal) return;
  const rocm::TimePoint now = rocm::Now();
  if (now - last_drawn_ < kRedraw) return;
  last_drawn_ = now;
  std::string line =
      fmt::format("{} · {}", label, DescribeProgress(stage, progress, recorder.live()));
  // Cut on a character, or the terminal would wrap and leave the rest behind.
  std::size_t width = 0, bytes = 0;
  while (bytes < line.size() && width < TerminalWidth() - 1) {
    ++bytes;
    while (bytes < line.size() && (static_cast<unsigned char>(line[bytes]) & 0xC0U) == 0x80) {
      ++bytes;
    }
    ++width;
  }
  line.resize(bytes);
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace harness
