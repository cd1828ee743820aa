// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "backend/llama_server/server.h"
#include "backend/process/testing/support.h"
#include "backend/rocm/testing/server_under_test.h"

namespace rocm::llama_server {

// A server under test (real or mock), the chain model, and the check that nothing is left behind.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    under_test_ = rocm::testing::FindServerUnderTest();
    if (!under_test_.missing.empty()) GTEST_SKIP() << under_test_.missing;
    model_ = rocm::testing::ChainModelPath();
    fds_ = process::test::OpenFds();
  }
  // Every test leaves nothing behind.
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_TRUE(process::test::OwnChildren().empty());
    EXPECT_TRUE(std::filesystem::is_empty(runtime()));
    EXPECT_EQ(process::test::OpenFds(), fds_);
  }

  [[nodiscard]] const std::string& runtime() const { return dir_.path(); }
  [[nodiscard]] const std::string& model() const { return model_; }
  [[nodiscard]] const std::string& binary() const { return under_test_.binary; }

  [[nodiscard]] ServerConfig Config(int slots = 1) const {
    ServerConfig config;
    config.model_path = model_;
    config.load = rocm::testing::SmallConfig(slots);
    config.context_per_slot = 2048;
    config.slots = slots;
    config.runtime_directory = runtime();
    return config;
  }
  static std::unique_ptr<Server> Started(ServerConfig config) {
    auto server = Server::Start(std::move(config));
    if (!server) {
      ADD_FAILURE() << ToString(server.error());
      for (const auto& line : server.error().log_tail) ADD_FAILURE() << line;
      return nullptr;
    }
    return std::move(*server);
  }
  static Error Refused(ServerConfig config) {
    const auto server = Server::Start(std::move(config));
    if (!server) return server.error();
    ADD_FAILURE() << "it started";
    return {};
  }

 private:
  rocm::testing::ServerUnderTest under_test_;
  std::string model_;
  process::test::TempDirectory dir_;
  std::size_t fds_ = 0;
};

}  // namespace rocm::llama_server
