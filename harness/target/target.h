// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/config.h"
#include "backend/error.h"
#include "backend/http/endpoint.h"
#include "backend/llama_server/log_facts.h"
#include "backend/model.h"
#include "backend/rocm/memory_report.h"
#include "harness/scenario/experiments.h"

namespace harness {

enum class TargetKind { kMock, kLlamaServer, kAttached };
[[nodiscard]] std::string_view ToString(TargetKind kind);

// What the command line says about the server.
struct TargetOptions {
  TargetKind kind = TargetKind::kMock;
  std::string url;            // attached only
  std::string model;          // a GGUF file; managed only
  std::string server_binary;  // empty: the mock beside this program, or the backend's own search
  std::vector<std::string> server_args;  // after the scenario's own
  std::string backend;                   // "rocm", "cpu", …; empty: the first that is available
  std::string device;                    // the pin: a uuid, a number or "ROCm0"; empty: chosen
  bool ignore_estimate = false;          // load what by the estimate does not fit
  std::string api_key;                   // attached only
  std::string served_model;              // the `model` field of requests; attached only
  std::chrono::milliseconds load_timeout{600'000};
  // Set by experiments, not by the command line. See rocm::LoadConfig.
  std::chrono::milliseconds stall_timeout{120'000};
  rocm::RestartPolicy restart;
  std::function<void(const rocm::LoadProgress&)> on_progress;
};

enum class RestartOutcome { kServing, kRefused, kTimedOut };

// "mock", "llama-server", "http://HOST:PORT" or "unix:PATH".
[[nodiscard]] rocm::Result<TargetOptions> ParseTarget(std::string_view text);

// A GPU that the model was put on, as the server's log words it.
struct TargetGpu {
  std::string name;  // "AMD Radeon RX 7800 XT"
  std::uint64_t memory_bytes = 0;
};

// What is known of a running target. Where the server did not say: empty, -1 or nullopt; nothing is
// guessed.
struct TargetFacts {
  TargetKind kind = TargetKind::kAttached;
  std::string backend;  // "rocm", "mock", "attached"
  std::string binary;
  std::string build;
  std::vector<std::string> argv;  // without secrets
  std::vector<std::string> environment;
  rocm::AppliedSettings applied;
  std::vector<TargetGpu> gpus;
  int layers = -1;  // that could be put on them; applied.gpu_layers were
  std::optional<rocm::ModelInfo> model;
  std::string served_model;
  std::optional<std::chrono::nanoseconds> load_duration;
  std::vector<rocm::llama_server::LoggedBuffer> buffers;  // what it says that it allocated
  std::optional<rocm::MemoryReport> memory;               // the same beside the estimate
  int pid = -1;
  // It is a llama-server: /completion, /tokenize, /slots are there, and requests may carry its
  // fields. Otherwise it gets nothing but OpenAI's own.
  bool llama_server = false;
  // It speaks the chain vocabulary, so that every answer is known in advance.
  bool chain = false;
  // Its model is a synthetic one: what it answers means nothing.
  bool random_weights = false;
  std::vector<std::string> not_available;  // "token ids: not a llama-server", one line each
};

// A server that a run drives. Thread-safe but for Stop().
class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual const TargetFacts& facts() const = 0;
  [[nodiscard]] virtual const rocm::http::Endpoint& endpoint() const = 0;
  // False once the server's process has ended. Someone else's server counts as alive: its requests
  // tell.
  [[nodiscard]] virtual bool alive() const = 0;
  // The error to record for a request that failed with `error`: where the process is dead, that it
  // died, and how. May wait a moment for the death.
  [[nodiscard]] virtual rocm::Error Explain(rocm::Error error) const = 0;
  // Readable from the end of the server's process on, for poll() only; -1: not ours.
  [[nodiscard]] virtual int exit_fd() const { return -1; }
  // For any thread, while this lives and is not stopped: whether the backend has put another server
  // that serves in the place of the one that is there now.
  [[nodiscard]] virtual std::function<bool()> RestartProbe() const {
    return [] { return false; };
  }
  // Of a server that died: waits until the backend has started another by its policy, and is that
  // one from then on (facts, endpoint). While no stream runs, and not from two threads.
  [[nodiscard]] virtual RestartOutcome AwaitRestart(rocm::TimePoint deadline,
                                                    const std::stop_token& stop);
  // Stops what we started, within `grace` or by force; leaves someone else's server alone.
  // Idempotent.
  virtual rocm::Result<void> Stop(std::chrono::milliseconds grace) = 0;
};

// Which backend OpenTarget() would take: the one that was asked for, else "rocm" or "cuda" where
// there is such a card, else "cpu". "mock" and "attached" for those. What records call it.
[[nodiscard]] rocm::Result<std::string> BackendName(const TargetOptions& options);

// Starts a server through the backend, as `settings` say, for that many streams at once; or
// attaches to one, which must answer. `stop` ends the waiting with kCancelled.
[[nodiscard]] rocm::Result<std::unique_ptr<Target>> OpenTarget(const TargetOptions& options,
                                                               const ServerSettings& settings,
                                                               int streams, std::stop_token stop);

}  // namespace harness
