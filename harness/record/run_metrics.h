// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "harness/base/wall_clock.h"
#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"
#include "harness/record/run_lines.h"

namespace prometheus {
class Registry;
}  // namespace prometheus

namespace harness {

// A run as Prometheus metrics, rocm_bench_* and rocm_backend_* in base units. Fed with what the run
// file gets, live or read back from it. Thread-safe.
//
// Labels are sanitised (ScrapeLabel) and bounded: after 200 sets of labels in one family further
// ones are counted under "other".
class RunMetrics {
 public:
  RunMetrics();
  ~RunMetrics();

  void Observe(const RequestRecord& record);
  // Rates and ratios of the stage; of a stage with several rounds, those over all of them.
  void Observe(const StageSummary& summary);
  void Observe(const Verdict& verdict);
  // server_ready (detail.load_ms), server_exited (a crash, unless a fault_injected of that scenario
  // and variant is open), server_recovered (detail.recovery_ms), sample
  // (detail.device, gpu_memory_bytes, server_memory_bytes, server_rss_bytes), memory_released
  // (detail.device, before_bytes, after_bytes) and load_failed; others are ignored.
  void Observe(const RunEvent& event);
  void Observe(const RunEnd& end, WallTime finished);

  // What an exposer or a gateway collects.
  [[nodiscard]] const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }
  // The same in the text exposition format.
  [[nodiscard]] std::string Text() const;

 private:
  class Families;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Families> families_;
};

// Valid UTF-8 without control characters, at most 120 bytes, never empty ("-"). One bad label value
// would make Prometheus drop the whole target.
[[nodiscard]] std::string ScrapeLabel(std::string_view text);

}  // namespace harness
