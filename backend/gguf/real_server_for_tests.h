// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace rocm::gguf {

// For tests only: a real llama-server on a free loopback port. It dies with this object, and with
// the thread that started it.
class RealServer {
 public:
  // The executable that ROCM_TEST_LLAMA_SERVER names; nullopt where it names none.
  static std::optional<std::string> Find();
  // The one on software Vulkan that lies beside it.
  static std::optional<std::string> FindVulkan();

  // `arguments` without host and port; `environment` ("NAME=value") on top of ours.
  RealServer(const std::string& executable, std::vector<std::string> arguments,
             const std::vector<std::string>& environment = {});
  RealServer(const RealServer&) = delete;
  RealServer& operator=(const RealServer&) = delete;
  ~RealServer();

  // Whether /health says ok within the time. False at once when the process ended.
  [[nodiscard]] bool Ready(std::chrono::seconds timeout);
  [[nodiscard]] int port() const { return port_; }
  // All that it has logged so far.
  [[nodiscard]] std::string Log();

 private:
  void Drain(int fd);

  int pid_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string log_;
  bool ended_ = false;
  std::thread reader_;
};

}  // namespace rocm::gguf
