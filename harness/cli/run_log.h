// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "backend/error.h"
#include "harness/cli/run_options.h"
#include "harness/record/run_metrics.h"
#include "harness/record/run_writer.h"

namespace harness {

// Where in a run something happened; every event says it.
struct RunPlace {
  std::string scenario;
  std::string variant;
  int round = 0;
  std::string stage;  // empty: beside the stages
};
// "scenario variant", for lines that people read.
[[nodiscard]] std::string ToString(const RunPlace& place);

// All that a run shows to the outside while it goes on: the run file and the live metrics. What the
// file does not take is counted there and ends up in its end line. Thread-safe.
class RunLog {
 public:
  // Makes the file and writes its header.
  [[nodiscard]] static rocm::Result<std::unique_ptr<RunLog>> Open(const RunOptions& options,
                                                                  const RunHeader& header);

  // `at_ns` 0: now.
  void Note(const RunPlace& place, const std::string& event, nlohmann::ordered_json detail,
            std::int64_t at_ns = 0);
  void Write(const StageSummary& summary, const SummaryContext& context);
  void Write(const Verdict& verdict);
  [[nodiscard]] rocm::Result<void> End(const RunEnd& end);

  // For what writes requests.
  [[nodiscard]] RunWriter& writer() { return *writer_; }
  [[nodiscard]] RunMetrics* metrics() { return metrics_; }

 private:
  RunLog(std::unique_ptr<RunWriter> writer, RunMetrics* metrics);
  const std::unique_ptr<RunWriter> writer_;
  RunMetrics* const metrics_;  // may be null
};

}  // namespace harness
