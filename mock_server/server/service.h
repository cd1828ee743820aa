// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "mock_server/engine/scheduler.h"
#include "mock_server/engine/timer_queue.h"
#include "mock_server/faults/doom.h"
#include "mock_server/faults/fault_book.h"
#include "mock_server/http/exchange.h"
#include "mock_server/options/options.h"
#include "mock_server/server/log.h"
#include "mock_server/server/model_file.h"
#include "mock_server/truth_log.h"

namespace mock {

class CompletionJob;

// The server behind its sockets: endpoints, engine and books. Everything on one thread; knows no
// sockets, only exchanges.
class Service {
 public:
  Service(Options options, TimerQueue& timers, Log& log, TruthLog& truth, FaultBook& faults);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Until then every endpoint says 503.
  void Loaded(ModelFile model);
  [[nodiscard]] bool loaded() const { return loaded_; }

  // Answers now or later. Keeps the exchange as long as it needs it.
  void Handle(std::shared_ptr<Exchange> exchange);

  // Between two rounds of events: drops finished jobs.
  void Tidy();

  // Generation stops; open streams stay silent but for one ping, then `end` of them all is due.
  void HaltStreams();
  [[nodiscard]] bool streaming() const { return !jobs_.empty(); }
  // Ends all streams without an end marker, as a server does that exits.
  void AbandonStreams();

  // For the endpoints and jobs.
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const EngineConfig& engine() const { return engine_; }
  [[nodiscard]] Scheduler& scheduler() { return *scheduler_; }
  [[nodiscard]] TimerQueue& timers() { return timers_; }
  [[nodiscard]] TruthLog& truth() { return truth_; }
  [[nodiscard]] Log& log() { return log_; }
  [[nodiscard]] const ModelFile& model() const { return model_; }
  [[nodiscard]] const std::string& alias() const { return alias_; }
  [[nodiscard]] std::int64_t loaded_at() const { return loaded_at_; }
  [[nodiscard]] int NextTaskId() { return next_task_++; }
  void Retire(std::int64_t request);
  // Ends the process, or holds it up, as the fault says. The truth is written first.
  void Doomed(const Fault& fault);
  void Doomed(const Doom& doom);

  void Reply(Exchange& exchange, HttpReply reply);
  void Reply(Exchange& exchange, const ApiError& error);

 private:
  [[nodiscard]] bool Authorised(const HttpRequest& request) const;
  void Route(const std::shared_ptr<Exchange>& exchange, const std::string& path);
  bool RouteGet(Exchange& exchange, const std::string& path);
  bool RoutePost(const std::shared_ptr<Exchange>& exchange, const std::string& path);
  void StartCompletion(const std::shared_ptr<Exchange>& exchange, Api api);
  bool AnswerMock(Exchange& exchange);

  Options options_;
  TimerQueue& timers_;
  Log& log_;
  TruthLog& truth_;
  FaultBook& fault_book_;
  Faults struck_;  // of the request that is being handled
  EngineConfig engine_;
  ModelFile model_;
  std::string alias_;
  std::unique_ptr<Scheduler> scheduler_;
  bool loaded_ = false;
  std::int64_t loaded_at_ = 0;
  std::int64_t next_request_ = 0;
  int next_task_ = 0;
  std::unordered_map<std::int64_t, std::shared_ptr<CompletionJob>> jobs_;
  std::vector<std::shared_ptr<CompletionJob>> retired_;
};

}  // namespace mock
