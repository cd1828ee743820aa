// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mock_server/api/replies.h"
#include "mock_server/engine/scheduler.h"
#include "mock_server/http/exchange.h"

namespace mock {

class Service;

// One request for a completion from its tasks to its bytes.
class CompletionJob final : public TaskListener, public ExchangeListener {
 public:
  CompletionJob(Service& service, std::shared_ptr<Exchange> exchange, std::int64_t request,
                ReplyContext context, std::shared_ptr<const GenerationParams> params);
  ~CompletionJob() override;

  // `choices` answers to each prompt.
  void Start(std::vector<Tokens> prompts, int choices);

  // No more events; a ping, once, after the ping interval.
  void Halt();
  // Ends the connection where it is, without an end marker.
  void Abandon();

  void OnSlot(Task& task) override;
  void OnProgress(Task& task, int processed, Ns scheduled) override;
  void OnPrefilled(Task& task, Ns scheduled) override;
  void OnTokens(Task& task, const TokenEvent& event, Ns scheduled) override;
  void OnFinished(Task& task, Ns scheduled) override;
  void OnFailed(Task& task, const ApiError& error) override;
  void OnDisconnected() override;

 private:
  void SendHead();
  void Queue(std::string event);
  void SendTokens(const Task& task, const TokenEvent& event, Ns scheduled);
  void SendQueued();
  void LogHeld();
  void Ping(Ns scheduled);
  void EndStream();
  void Answer();
  void CancelTasks();
  void Retire();

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  std::int64_t request_;
  ReplyContext context_;
  std::shared_ptr<const GenerationParams> params_;
  std::vector<FinishedChoice> choices_;  // by task
  std::size_t open_ = 0;
  bool many_prompts_ = false;
  bool list_ = false;
  bool head_sent_ = false;
  bool retired_ = false;
  std::int64_t sequence_ = 0;
  std::string queued_;
  int queued_events_ = 0;
  struct Held {
    int index;
    std::int64_t sequence;
    TokenEvent event;
    Ns scheduled;
  };
  std::vector<Held> held_;  // events in queued_, for the truth log
  Ns last_sent_ = 0;
  Timer ping_;
  Timer cancel_;
};

}  // namespace mock
