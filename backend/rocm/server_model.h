// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "backend/model.h"
#include "backend/rocm/load_plan.h"
#include "backend/rocm/memory_report.h"
#include "backend/rocm/model_core.h"
#include "backend/rocm/restarter.h"

namespace rocm {

// TextModel on a supervised llama-server. Thread-safe.
class ServerModel final : public TextModel {
 public:
  // `plan` says what to start; blocks until the model answers and its settings are verified.
  [[nodiscard]] static Result<std::unique_ptr<ServerModel>> Start(LoadPlan plan);
  ~ServerModel() override;

  [[nodiscard]] Result<TokenStream> Generate(std::string_view prompt,
                                             const GenerateConfig& config) override;
  [[nodiscard]] Result<TokenStream> Chat(std::span<const Message> messages,
                                         const GenerateConfig& config) override;
  [[nodiscard]] std::vector<Result<Classification>> Classify(std::span<const std::string> prompts,
                                                             const GenerateConfig& config) override;
  [[nodiscard]] std::vector<Result<Generation>> BatchGenerate(
      std::span<const std::string> prompts, const GenerateConfig& config) override;
  [[nodiscard]] std::string ModelType() const override;
  [[nodiscard]] ModelInfo Info() const override;
  [[nodiscard]] ModelMetrics Metrics() const override;
  [[nodiscard]] std::optional<Error> Err() const override;
  [[nodiscard]] bool Alive() const override;
  Result<void> Close() override;

  // For the harness, which drives the same server through its own load engine. The pointer keeps
  // log and exit of that very process readable; a restart puts another in its place. nullptr once
  // closed.
  [[nodiscard]] std::shared_ptr<llama_server::Server> server() const { return core_->server(); }
  // False once no further start will follow a death: no restart policy, or it refuses, or closed.
  [[nodiscard]] bool restarting() const { return restarter_ && !restarter_->gave_up(); }
  // No further start, whatever dies from now on. Waits for one in progress to be cancelled.
  void StopRestarting();
  [[nodiscard]] const LoadPlan& plan() const { return plan_; }
  // The estimate beside what was allocated; nullopt where either is unknown. Also the detail of
  // LoadProgress::State::kReady.
  [[nodiscard]] const std::optional<MemoryReport>& memory_report() const { return memory_report_; }

 private:
  ServerModel(LoadPlan plan, std::shared_ptr<ModelCore> core);
  // The server for a new call, or why there is none.
  [[nodiscard]] Result<std::shared_ptr<llama_server::Server>> LiveServer() const;
  [[nodiscard]] Result<TokenStream> Stream(wire::Api api, std::string body,
                                           std::shared_ptr<llama_server::Server> server,
                                           const GenerateConfig& config) const;

  const LoadPlan plan_;
  const std::shared_ptr<ModelCore> core_;
  std::optional<MemoryReport> memory_report_;
  std::unique_ptr<Restarter> restarter_;  // only with a restart policy
  std::mutex close_mutex_;
};

}  // namespace rocm
