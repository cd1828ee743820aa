// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <string>

#include "backend/llama_server/running_server.h"
#include "backend/process/environment.h"

namespace rocm::llama_server {

// Server::Start() step by step: everything that happens before there is a Server.
class Launcher {
 public:
  explicit Launcher(ServerConfig config) : config_(std::move(config)) {}

  [[nodiscard]] Result<std::unique_ptr<RunningServer>> Launch();

 private:
  // Once per load: binary, runtime folder, left-over servers, environment, capabilities.
  [[nodiscard]] Result<void> Prepare();
  // One process, until it is ready and proven, or gone.
  [[nodiscard]] Result<std::unique_ptr<RunningServer>> Attempt(bool unix_socket);
  [[nodiscard]] Result<process::ChildOptions> PlanChild(RunningServer& server, bool unix_socket,
                                                        std::shared_ptr<ExitNotice> notice);
  [[nodiscard]] Result<void> AwaitReadyAndOurs(RunningServer& server);
  [[nodiscard]] Error Explain(const RunningServer& server, Error error) const;
  void Report(LoadProgress::State state, std::optional<double> fraction, std::string detail) const;

  ServerConfig config_;
  std::string binary_;
  std::string runtime_;
  process::ChildEnvironment environment_;
  Capabilities capabilities_;
};

}  // namespace rocm::llama_server
