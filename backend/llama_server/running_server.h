// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/llama_server/server.h"
#include "backend/process/child.h"

namespace rocm::llama_server {

// What the log of one server has said so far. Thread-safe; written by the supervising thread.
class LogReader {
 public:
  void Read(std::string_view line);
  // Dots of a line that is not complete: how far a load has come.
  void ReadPartial(std::string_view raw);
  [[nodiscard]] LogFacts facts() const;
  // In [0, 1]; empty while nothing was heard of it.
  [[nodiscard]] std::optional<double> load_fraction() const;

 private:
  mutable std::mutex mutex_;
  LogFacts facts_;
  std::optional<double> fraction_;
};

// Calls on_exit once, for a server that Start() has handed out, and not for one that it gave up.
class ExitNotice {
 public:
  explicit ExitNotice(std::function<void(const ExitInfo&)> callback)
      : callback_(std::move(callback)) {}
  // False when the process has ended already: nobody will be called.
  [[nodiscard]] bool Arm();
  void Tell(const ExitInfo& exit);

 private:
  const std::function<void(const ExitInfo&)> callback_;
  std::mutex mutex_;
  bool armed_ = false;
  bool ended_ = false;
};

struct RunningServer {
  std::chrono::milliseconds stop_grace{5'000};
  Capabilities capabilities;
  http::Endpoint endpoint;
  std::string alias;
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // the key masked
  std::map<std::string, std::string> recorded_environment;
  std::chrono::nanoseconds load_duration{0};
  std::shared_ptr<LogReader> log = std::make_shared<LogReader>();
  std::atomic<bool> stopping{false};
  // Last: its thread uses the others until it has ended.
  std::unique_ptr<process::Child> child;
};

}  // namespace rocm::llama_server
