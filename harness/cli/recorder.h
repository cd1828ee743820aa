// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "harness/load/answer_check.h"
#include "harness/load/stage_runner.h"
#include "harness/measure/request_record.h"
#include "harness/record/run_metrics.h"
#include "harness/record/run_writer.h"
#include "harness/target/target.h"

namespace harness {

// What one answer check saw in a stage.
struct AnswerTally {
  std::int64_t asked = 0;
  std::int64_t wrong = 0;
  std::string example;  // of the first wrong one
};

// A stage's records, without texts and ids, and what can only be counted while those are at hand.
struct StageRecords {
  std::vector<RequestRecord> records;
  std::vector<AnswerTally> answers;  // one for each checker
  std::int64_t output_length_mismatches = 0;
  std::int64_t prompt_length_mismatches = 0;
  std::int64_t degenerate = 0;
  std::string degenerate_example;
  std::int64_t warm_up_failures = 0;
  std::string first_failure;  // of a warm-up request
};

// For the progress line.
struct LiveStatistics {
  double ttft_p50_ms = 0;
  double ttft_p99_ms = 0;
  std::int64_t n = 0;
};

// Takes finished requests off the load threads: finds out why the server died, hashes and checks
// the answer, appends the record to the run file. All of that costs time, so that it has a thread
// of its own. One stage at a time.
class Recorder {
 public:
  // `metrics` may be null.
  Recorder(RunWriter& writer, RunMetrics* metrics);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Keeps pointers to both until EndStage(). `keep_ids`: the records keep the first token ids of
  // their answers, so that answers can be compared.
  void BeginStage(const Target* target, const std::vector<AnswerChecker>* checkers, bool record,
                  bool keep_ids);
  // From any thread; never waits for the disk.
  void Push(FinishedRequest&& request);
  // Waits until everything pushed has been written.
  [[nodiscard]] StageRecords EndStage();

  [[nodiscard]] LiveStatistics live() const;

 private:
  void Work();
  void Process(FinishedRequest&& request);
  [[nodiscard]] rocm::Error Explain(const rocm::Error& error);

  RunWriter& writer_;
  RunMetrics* const metrics_;
  const Target* target_ = nullptr;
  const std::vector<AnswerChecker>* checkers_ = nullptr;
  bool record_ = true;
  rocm::TimePoint next_wait_{};  // for a death; of the worker alone
  bool keep_ids_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<FinishedRequest> queue_;
  bool busy_ = false;
  bool quit_ = false;
  StageRecords stage_;
  std::vector<double> ttft_ms_;
  std::thread worker_;
};

}  // namespace harness
