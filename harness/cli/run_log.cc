// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/run_log.h"

#include <fmt/format.h>

#include <utility>

#include "harness/base/wall_clock.h"

namespace harness {

std::string ToString(const RunPlace& place) {
  return fmt::format("{}{}{}", place.scenario, place.variant.empty() ? "" : " ", place.variant);
}

RunLog::RunLog(std::unique_ptr<RunWriter> writer, RunMetrics* metrics)
    : writer_(std::move(writer)), metrics_(metrics) {}

rocm::Result<std::unique_ptr<RunLog>> RunLog::Open(const RunOptions& options,
                                                   const RunHeader& header) {
  RunWriterConfig config;
  config.directory = options.out;
  config.chunks = options.chunks;
  auto writer = RunWriter::Create(config);
  if (!writer) return tl::unexpected(writer.error());
  const auto written = (*writer)->Header(header);
  if (!written) return tl::unexpected(written.error());
  return std::unique_ptr<RunLog>(new RunLog(*std::move(writer), options.metrics));
}

void RunLog::Note(const RunPlace& place, const std::string& event, nlohmann::ordered_json detail,
                  std::int64_t at_ns) {
  RunEvent note;
  note.event = event;
  note.at_ns = at_ns;
  note.scenario = place.scenario;
  note.variant = place.variant;
  note.round = place.round;
  note.stage = place.stage;
  note.detail = std::move(detail);
  (void)writer_->Event(note);
  if (metrics_ != nullptr) metrics_->Observe(note);
}

void RunLog::Write(const StageSummary& summary, const SummaryContext& context) {
  (void)writer_->Summary(summary, context);
  if (metrics_ != nullptr) metrics_->Observe(summary);
}

void RunLog::Write(const Verdict& verdict) {
  (void)writer_->Write(verdict);
  if (metrics_ != nullptr) metrics_->Observe(verdict);
}

rocm::Result<void> RunLog::End(const RunEnd& end) {
  auto written = writer_->End(end);
  if (metrics_ != nullptr) metrics_->Observe(end, WallNow());
  return written;
}

}  // namespace harness
