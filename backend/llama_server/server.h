// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/config.h"
#include "backend/error.h"
#include "backend/http/endpoint.h"
#include "backend/llama_server/capabilities.h"
#include "backend/llama_server/log_facts.h"

namespace rocm::llama_server {

// What Start() needs, with everything already decided that needs the model file or the devices.
struct ServerConfig {
  std::string model_path;
  // As the caller gave it. Read here: server_binary, gpu_layers, flash_attention, kv_type_*,
  // threads, expected_streams, extra_args, environment, the timeouts, on_progress and stop.
  LoadConfig load;
  int context_per_slot = 0;  // tokens; 0: the server decides
  int slots = 1;
  // The device pin: set, and removed, after the allowlisted part of our environment and before
  // load.environment.
  std::map<std::string, std::string> device_environment;
  std::vector<std::string> cleared_environment;
  std::string device_argument;  // for --device; empty: none
  // Where sockets and child records live. Empty: a 0700 folder of this user's.
  std::string runtime_directory;
  bool allow_unix_socket = true;
  // At most once, on the supervising thread, within milliseconds of the process's end, whatever
  // ended it. Must not destroy the Server, nor call Stop().
  std::function<void(const ExitInfo&)> on_exit;
  // Every log line, on the supervising thread. Must be quick: the server's log waits for it.
  std::function<void(std::string_view line)> on_log;
};

// How Stop() went.
struct StopReport {
  ExitInfo exit;
  bool killed = false;  // SIGTERM was not enough
  std::chrono::nanoseconds duration{0};
};

struct RunningServer;  // the inside of a Server

// One running llama-server, ready and proven to be ours. Thread-safe. The destructor stops it.
class Server {
 public:
  // Probes the binary, spawns it, waits until it is ready and has shown that it is the process we
  // spawned. On failure nothing is left behind, and the error carries exit and log tail.
  [[nodiscard]] static Result<std::unique_ptr<Server>> Start(ServerConfig config);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where it listens, key included.
  [[nodiscard]] const http::Endpoint& endpoint() const;
  [[nodiscard]] pid_t pid() const;
  // Asks the kernel: false from the moment the process ended.
  [[nodiscard]] bool alive() const;
  [[nodiscard]] std::optional<ExitInfo> exit_info() const;
  // Readable from the process's end on; for poll() only. Valid while the Server lives.
  [[nodiscard]] int exit_fd() const;
  [[nodiscard]] std::vector<std::string> log_tail(std::size_t lines = 20) const;
  [[nodiscard]] const std::vector<std::string>& argv() const;
  // "NAME=value", as given to the process, the key masked.
  [[nodiscard]] const std::vector<std::string>& environment() const;
  // The part of it that can change speed or results (GGML_, HSA_, ROCBLAS_, masks …).
  [[nodiscard]] const std::map<std::string, std::string>& recorded_environment() const;
  [[nodiscard]] const Capabilities& capabilities() const;
  // What its log said so far.
  [[nodiscard]] LogFacts facts() const;
  // From spawn to ready.
  [[nodiscard]] std::chrono::nanoseconds load_duration() const;
  // The random name in its --alias.
  [[nodiscard]] const std::string& alias() const;

  // True when the process has ended, at the latest after `timeout`.
  [[nodiscard]] bool WaitExited(std::chrono::milliseconds timeout) const;
  // Ask nicely, ask again after 200 ms, kill the whole group after `grace`; reap; remove the
  // socket. Close streams of your own before: a server that streams needs seconds. Idempotent.
  [[nodiscard]] Result<StopReport> Stop(std::chrono::milliseconds grace);

  // The error to show for a call that failed with `error`. Where the process is dead, or dies
  // within `wait` (a reset connection is seen before the death is), it is the reason of the death
  // with exit and log tail; else `error` itself.
  [[nodiscard]] Error Explain(Error error,
                              std::chrono::milliseconds wait = std::chrono::milliseconds{50}) const;

 private:
  explicit Server(std::unique_ptr<RunningServer> running);
  std::unique_ptr<RunningServer> running_;
};

// ROCM_LLAMA_SERVER_PATH, else `llama-server` on PATH, unless `configured` names a file. The error
// (kBinaryNotFound) says what was looked at and what is wrong with it.
[[nodiscard]] Result<std::string> FindServerBinary(const std::string& configured = {});

}  // namespace rocm::llama_server
