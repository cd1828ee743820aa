// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "mock_server/api/replies.h"
#include "mock_server/engine/scheduler.h"
#include "mock_server/http/exchange.h"
#include "mock_server/server/stream_writer.h"

namespace mock {

class Service;

// One request for a completion, from its tasks to the end of its answer. Tells the service when it
// is over and is destroyed by it.
class CompletionJob final : public TaskListener, public ExchangeListener {
 public:
  CompletionJob(Service& service, std::shared_ptr<Exchange> exchange, std::int64_t request,
                ReplyContext context, std::shared_ptr<const GenerationParams> params,
                const Faults& faults);
  ~CompletionJob() override;

  // `choices` answers to each prompt.
  void Start(std::vector<Tokens> prompts, int choices);
  // Ends the connection where it is, without an end marker.
  void Abandon();
  // Of a server that is about to stop: no more pings.
  void Halt();

  void OnSlot(Task& task) override;
  void OnProgress(Task& task, int processed, Ns scheduled) override;
  void OnPrefilled(Task& task, Ns scheduled) override;
  void OnTokens(Task& task, const TokenEvent& event, Ns scheduled) override;
  void OnFinished(Task& task, Ns scheduled) override;
  void OnFailed(Task& task, const ApiError& error) override;
  void OnDisconnected() override;

 private:
  void LogFinished(const Task& task);
  void Answer();
  void CancelTasks();
  void Retire();
  void StrikeAt(std::string_view moment);

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  std::int64_t request_;
  ReplyContext context_;
  std::shared_ptr<const GenerationParams> params_;
  Faults process_faults_;
  std::optional<StreamWriter> stream_;
  std::vector<FinishedChoice> choices_;  // by task
  std::size_t open_ = 0;
  std::int64_t chunks_ = 0;  // of an answer that is not streamed
  bool many_prompts_ = false;
  bool list_ = false;
  bool retired_ = false;
  Timer cancel_;
};

}  // namespace mock
