// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/measure/request_record.h"
#include "harness/measure/stage_summary.h"
#include "harness/measure/verdict.h"
#include "harness/record/fingerprint.h"

namespace harness {

inline constexpr int kRunSchema = 1;

// The server that a run drives. argv and applied are empty until it has started: the header holds
// what is known then, every server_started event holds all of it.
struct ServerDescription {
  std::string binary;
  std::string build;              // "b11669-Debian"
  std::vector<std::string> argv;  // without secrets
  nlohmann::ordered_json requested = nlohmann::ordered_json::object();
  nlohmann::ordered_json applied;  // null: not known; an attached server may not say
};

struct RunHeader {
  std::string tool_version;
  std::vector<std::string> command;  // our own argv: the way to repeat the run
  std::string target;                // "mock", "llama-server", "http://…", "unix:…"
  std::string suite;                 // file name, empty when none
  std::vector<nlohmann::ordered_json> scenarios;  // resolved: nothing left to default
  std::map<std::string, std::uint64_t> seeds;
  Fingerprint fingerprint;
  ServerDescription server;
  nlohmann::ordered_json calibration;  // what `calibrate` stored; null: none in force
};

// Something that happened beside the requests. Known names: server_started, server_ready,
// server_exited, server_hung, server_recovered, not_recovered, crash_loop_ended, server_stopped,
// load_failed, memory_bandwidth, fault_injected, throttled, sample, stage_started, stage_finished,
// interrupted, note.
struct RunEvent {
  std::string event;
  std::int64_t at_ns = 0;  // CLOCK_MONOTONIC; 0: now
  std::string scenario;
  std::string variant;
  int round = 0;
  std::string stage;
  nlohmann::ordered_json detail = nlohmann::ordered_json::object();
};

// What a summary needs beside its numbers.
struct SummaryContext {
  // What the scenario asked of the server: part of the series key.
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();
  // Statistic path to the instrument's error bound, in the metric's unit.
  std::map<std::string, double> error_bounds;
  bool timing_judged = true;
};

enum class RunStatus { kValid, kPartial, kInvalid };
[[nodiscard]] std::string_view ToString(RunStatus status);

struct RunEnd {
  RunStatus status = RunStatus::kValid;
  std::vector<std::string> reasons;
  int exit_code = 0;
};

// The lines, without the newline. Invalid UTF-8 becomes U+FFFD; NaN and infinities become null.
[[nodiscard]] std::string HeaderLine(const RunHeader& header, std::string_view run_id);
// Appends to `out`, which a caller may reuse.
void AppendRequestLine(const RequestRecord& record, bool chunks, std::string& out);
[[nodiscard]] std::string EventLine(const RunEvent& event);
// `series` names the trend that this summary belongs to, see SeriesKey().
[[nodiscard]] std::string SummaryLine(const StageSummary& summary, const SummaryContext& context,
                                      std::string_view series);
[[nodiscard]] std::string VerdictLine(const Verdict& verdict);
[[nodiscard]] std::string EndLine(const RunEnd& end, std::int64_t requests,
                                  std::int64_t lost_lines);

}  // namespace harness
