// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/config.h"
#include "harness/target/target.h"

namespace rocm::llama_server {
class Server;
}

namespace harness {

// A server that the backend started for this run, through the very code that a program embedding
// the library uses. The mock is one of them, with another binary.
class ManagedTarget final : public Target {
 public:
  [[nodiscard]] static rocm::Result<std::unique_ptr<Target>> Start(const TargetOptions& options,
                                                                   const ServerSettings& settings,
                                                                   int streams,
                                                                   std::stop_token stop);
  ~ManagedTarget() override;

  [[nodiscard]] const TargetFacts& facts() const override { return facts_; }
  [[nodiscard]] const rocm::http::Endpoint& endpoint() const override;
  [[nodiscard]] bool alive() const override;
  [[nodiscard]] rocm::Error Explain(rocm::Error error) const override;
  [[nodiscard]] int exit_fd() const override;
  [[nodiscard]] std::function<bool()> RestartProbe() const override;
  [[nodiscard]] RestartOutcome AwaitRestart(rocm::TimePoint deadline,
                                            const std::stop_token& stop) override;
  rocm::Result<void> Stop(std::chrono::milliseconds grace) override;

 private:
  ManagedTarget() = default;
  // What is known of the server that runs now.
  void ReadFacts();
  std::unique_ptr<rocm::TextModel> model_;
  std::shared_ptr<rocm::llama_server::Server> server_;
  TargetFacts facts_;
};

// What the backend is asked for. Separate, so that it can be tested without a server.
[[nodiscard]] rocm::LoadConfig MakeLoadConfig(const TargetOptions& options,
                                              const ServerSettings& settings, int streams);

// The backend that serves these options.
[[nodiscard]] rocm::Result<std::shared_ptr<rocm::Backend>> ChooseBackend(
    const TargetOptions& options);

// mock-llama-server, in the folder of this very program. kBinaryNotFound says where it was looked
// for.
[[nodiscard]] rocm::Result<std::string> FindMockServer();

}  // namespace harness
