// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/launcher.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "backend/base/unique_fd.h"
#include "backend/llama_server/command_line.h"
#include "backend/llama_server/log_classifier.h"
#include "backend/llama_server/readiness.h"
#include "backend/process/proc.h"
#include "backend/process/random_id.h"

namespace rocm::llama_server {
namespace {

using std::chrono::milliseconds;

// "Couldn't bind" is the one failure that another port, or another kind of socket, can cure.
constexpr int kAttempts = 3;
// sun_path holds 108 bytes with its terminator.
constexpr std::size_t kLongestSocketPath = 107;
constexpr const char* kKeyVariable = "LLAMA_API_KEY";
// A connection that breaks because the process dies is seen before the death is.
constexpr milliseconds kDeathFollows{200};
constexpr std::size_t kLinesToJudge = 200;

Result<void> WriteKeyFile(const std::string& path, const std::string& key) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const std::string text = key + "\n";
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return Fail(ErrorCode::kIo, "cannot write " + path);
  }
  return {};
}

// Sees a load that reads a slow disk in silence as alive.
class Activity {
 public:
  explicit Activity(const process::Child& child) : child_(child), moved_(Now()) {}
  TimePoint Last() {
    const auto bytes = process::ReadStorageBytes(child_.pid());
    if (bytes && *bytes != bytes_) {
      bytes_ = *bytes;
      moved_ = Now();
    }
    return std::max(moved_, child_.last_output());
  }

 private:
  const process::Child& child_;
  std::uint64_t bytes_ = 0;
  TimePoint moved_;
};

}  // namespace

void Launcher::Report(LoadProgress::State state, std::optional<double> fraction,
                      std::string detail) const {
  if (!config_.load.on_progress) return;
  LoadProgress progress;
  progress.state = state;
  progress.fraction = fraction;
  progress.detail = std::move(detail);
  config_.load.on_progress(progress);
}

Result<void> Launcher::Prepare() {
  if (auto allowed = CheckEnvironment(config_.load.environment); !allowed) return allowed;
  auto binary = FindServerBinary(config_.load.server_binary);
  if (!binary) return Fail(binary.error());
  binary_ = std::move(*binary);
  auto runtime = process::RuntimeDirectory(config_.runtime_directory);
  if (!runtime) return Fail(runtime.error());
  runtime_ = std::move(*runtime);
  const process::ReapReport reaped = process::ReapOrphans(runtime_);
  if (!reaped.killed.empty()) {
    Report(LoadProgress::State::kChecking, std::nullopt,
           "ended " + std::to_string(reaped.killed.size()) + " left over from a dead program");
  }
  auto environment = process::BuildEnvironment({.inherited = process::CurrentEnvironment(),
                                                .remove = config_.cleared_environment,
                                                .pin = config_.device_environment,
                                                .set = config_.load.environment});
  if (!environment) return Fail(environment.error());
  environment_ = std::move(*environment);
  auto capabilities =
      Probe(binary_, {.environment = environment_.entries, .stop = config_.load.stop});
  if (!capabilities) return Fail(capabilities.error());
  capabilities_ = std::move(*capabilities);
  return {};
}

Result<std::unique_ptr<RunningServer>> Launcher::Launch() {
  if (config_.load.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "the load was cancelled");
  }
  Report(LoadProgress::State::kChecking, std::nullopt, config_.model_path);
  if (auto prepared = Prepare(); !prepared) return Fail(prepared.error());
  bool unix_socket = config_.allow_unix_socket && capabilities_.unix_sockets();
  for (int attempt = 1;; ++attempt) {
    auto server = Attempt(unix_socket);
    if (server || server.error().code != ErrorCode::kPortInUse || attempt == kAttempts)
      return server;
    // The path was fresh and ours: this build, or this file system, cannot do it.
    unix_socket = false;
  }
}

Result<process::ChildOptions> Launcher::PlanChild(RunningServer& server, bool unix_socket,
                                                  std::shared_ptr<ExitNotice> notice) {
  auto run = process::RunDirectory::Create(runtime_);
  if (!run) return Fail(run.error());
  const std::string key = process::RandomId(24);
  const std::string socket_path = (*run)->path() + "/server.sock";
  if (unix_socket && socket_path.size() <= kLongestSocketPath) {
    server.endpoint.unix_path = socket_path;
  } else {
    server.endpoint.host = "127.0.0.1";
  }
  server.endpoint.api_key = key;
  if (capabilities_.Has("--alias")) server.alias = "rocm-" + process::RandomId(16);
  std::string key_file;
  process::ChildOptions child;
  child.environment = environment_.entries;
  server.environment = environment_.entries;
  if (capabilities_.api_key_in_environment()) {
    child.environment.push_back(std::string(kKeyVariable) + "=" + key);
    server.environment.push_back(std::string(kKeyVariable) + "=***");
  } else if (capabilities_.Has("--api-key-file")) {
    key_file = (*run)->path() + "/key";
    if (auto written = WriteKeyFile(key_file, key); !written) return Fail(written.error());
  } else {
    server.endpoint.api_key.clear();
  }
  auto arguments = BuildCommandLine({.capabilities = capabilities_,
                                     .load = config_.load,
                                     .model_path = config_.model_path,
                                     .context_per_slot = config_.context_per_slot,
                                     .slots = config_.slots,
                                     .device_argument = config_.device_argument,
                                     .alias = server.alias,
                                     .socket_path = server.endpoint.unix_path,
                                     .api_key_file = key_file});
  if (!arguments) return Fail(arguments.error());
  child.executable = binary_;
  child.arguments = std::move(*arguments);
  child.run_directory = std::move(*run);
  child.destructor_grace = config_.load.stop_grace;
  child.on_line = [log = server.log, tell = config_.on_log](process::LogStream,
                                                            std::string_view line) {
    log->Read(line);
    if (tell) tell(line);
  };
  child.on_partial_line = [log = server.log](process::LogStream, std::string_view raw) {
    log->ReadPartial(raw);
  };
  child.on_exit = [notice = std::move(notice)](const ExitInfo& exit) { notice->Tell(exit); };
  return child;
}

Result<std::unique_ptr<RunningServer>> Launcher::Attempt(bool unix_socket) {
  auto server = std::make_unique<RunningServer>();
  auto notice = std::make_shared<ExitNotice>(config_.on_exit);
  auto options = PlanChild(*server, unix_socket, notice);
  if (!options) return Fail(options.error());
  server->stop_grace = config_.load.stop_grace;
  server->capabilities = capabilities_;
  server->recorded_environment = environment_.recorded;
  server->argv = {options->executable};
  server->argv.insert(server->argv.end(), options->arguments.begin(), options->arguments.end());

  Report(LoadProgress::State::kSpawning, std::nullopt, binary_);
  const TimePoint start = Now();
  auto child = process::Child::Start(std::move(*options));
  if (!child) return Fail(child.error());
  server->child = std::move(*child);
  if (auto ready = AwaitReadyAndOurs(*server); !ready) {
    Error error = Explain(*server, ready.error());
    // There is nothing to ask nicely: it holds no stream, and a load ignores SIGTERM.
    static_cast<void>(server->child->Stop(milliseconds{0}));
    if (error.log_tail.empty()) error.log_tail = server->child->LogTail(20);
    return Fail(std::move(error));
  }
  server->load_duration = Now() - start;
  if (!notice->Arm()) {
    Error error;
    error.code = ErrorCode::kServerExited;
    return Fail(Explain(*server, std::move(error)));
  }
  Report(LoadProgress::State::kReady, 1.0, server->endpoint.ToString());
  return server;
}

Result<void> Launcher::AwaitReadyAndOurs(RunningServer& server) {
  process::Child& child = *server.child;
  Activity activity(child);
  const ReadinessSource source{
      .endpoint = [&]() -> std::optional<http::Endpoint> {
        http::Endpoint endpoint = server.endpoint;
        if (!endpoint.unix_path.empty()) return endpoint;
        endpoint.port = static_cast<std::uint16_t>(server.log->facts().port);
        if (endpoint.port == 0) return std::nullopt;
        return endpoint;
      },
      .wait_exited = [&](milliseconds timeout) { return child.WaitExited(timeout); },
      .last_activity = [&] { return activity.Last(); },
  };
  ReadinessOptions options{.stall_timeout = config_.load.stall_timeout,
                           .load_timeout = config_.load.load_timeout,
                           .stop = config_.load.stop,
                           .on_waiting = {}};
  options.on_waiting = [&] {
    const auto tail = child.LogTail(1);
    Report(LoadProgress::State::kLoading, server.log->load_fraction(),
           tail.empty() ? std::string() : std::string(StripLogPrefix(tail.back())));
  };
  auto ready = AwaitReady(source, options);
  if (!ready) return Fail(ready.error());
  server.endpoint = std::move(*ready);
  Report(LoadProgress::State::kVerifying, 1.0, server.endpoint.ToString());
  return ProveIdentity(server.endpoint, server.alias, config_.load.stop);
}

Error Launcher::Explain(const RunningServer& server, Error error) const {
  if (error.code == ErrorCode::kCancelled || !server.child->WaitExited(kDeathFollows)) return error;
  const auto lines = server.child->LogTail(kLinesToJudge);
  return DescribeDeath("llama-server ended while loading " + config_.model_path,
                       *server.child->exit_info(), lines);
}

}  // namespace rocm::llama_server
