// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <string_view>

#include "backend/base/clock.h"
#include "harness/cli/recorder.h"
#include "harness/load/stage_runner.h"
#include "harness/scenario/stage.h"

namespace harness {

// What a person sees while a run goes on, on stderr: one line rewritten in place on a terminal,
// plain lines otherwise. Not thread-safe.
class Progress {
 public:
  enum class Style { kTerminal, kLines, kSilent };
  // kTerminal only where stderr is one.
  explicit Progress(bool silent);
  ~Progress();

  // A line that stays.
  void Say(std::string_view line);
  // What goes on now: "decode · starting llama-server".
  void Phase(std::string_view text);
  // Called often; draws at most five times a second.
  void Stage(std::string_view label, const Stage& stage, const StageProgress& progress,
             const Recorder& recorder);
  void Clear();

 private:
  Style style_;
  bool drawn_ = false;
  rocm::TimePoint last_drawn_{};
};

// "3/40 · 103 tok/s · TTFT p50 1.2 p99 3.4 ms · ETA 4 s"
[[nodiscard]] std::string DescribeProgress(const Stage& stage, const StageProgress& progress,
                                           const LiveStatistics& live);

}  // namespace harness
