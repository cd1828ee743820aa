// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "backend/error.h"
#include "harness/record/run_metrics.h"

namespace harness {

// Serves a run's metrics at http://ADDRESS/metrics while it lives.
class MetricsListener {
 public:
  // "127.0.0.1:9464", "[::1]:9464", or a port alone, which means 127.0.0.1: the embedded web server
  // is not meant for foreign networks. Port 0: any free one. `metrics` must live as long.
  [[nodiscard]] static rocm::Result<std::unique_ptr<MetricsListener>> Start(
      const std::string& address, const RunMetrics& metrics);
  ~MetricsListener();

  [[nodiscard]] int port() const;

 private:
  class Server;
  explicit MetricsListener(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

// The machine's name, "" where it has none.
[[nodiscard]] std::string OwnHostName();

// Where and under which name metrics are pushed: one group for each scenario, keyed job + instance
// + scenario. A run id is never part of it, because Pushgateway keeps every group for ever.
struct PushTarget {
  std::string url;  // "http://127.0.0.1:9091"
  std::string job = "rocm-bench";
  std::string instance = OwnHostName();       // several machines may push into one gateway
  std::chrono::milliseconds timeout{10'000};  // for all groups together
};

// The name of the thread a push runs on.
inline constexpr std::string_view kPushThread = "rocm-push";

// Replaces these groups in a Pushgateway. Metrics without a scenario (the run's validity, the last
// success) go into each group, so that they are known for every scenario. Failures, among them a
// type that differs from what the gateway has, are errors with its status; a gateway that never
// answers ends with kDeadlineExceeded and leaves its thread behind until the connection ends.
[[nodiscard]] rocm::Result<void> PushMetrics(const RunMetrics& metrics, const PushTarget& target);

// Writes DIRECTORY/rocm_bench.prom for node_exporter's textfile collector: the old file or the new
// one, never half of one.
[[nodiscard]] rocm::Result<std::filesystem::path> WriteTextfile(
    const RunMetrics& metrics, const std::filesystem::path& directory);

// URL-safe base64 as Pushgateway reads it; "=" for the empty text.
[[nodiscard]] std::string GroupingValue(std::string_view text);

}  // namespace harness
