// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "mock_server/faults/fault_book.h"
#include "mock_server/http/server.h"
#include "mock_server/server/hardware_log.h"
#include "mock_server/server/log.h"
#include "mock_server/server/model_file.h"
#include "mock_server/server/service.h"
#include "mock_server/server/startup_faults.h"
#include "mock_server/truth_log.h"

namespace mock {
namespace {

// As many connections as llama-server has threads for HTTP, by its own rule; it was seen to serve
// one more.
std::size_t MostConnections(const Options& options) {
  if (options.threads_http > 0) return static_cast<std::size_t>(options.threads_http) + 1;
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  return static_cast<std::size_t>(std::max<long>(options.parallel + 4, cores - 1)) + 1;
}

// Thousands of streams are thousands of sockets.
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// From command line to exit, step by step as the real one.
class Process {
 public:
  explicit Process(Options options)
      : options_(std::move(options)),
        log_(options_.dialect.build == kCurrent, options_.verbosity),
        fault_book_(options_.seed),
        startup_(fault_book_.startup(), options_, log_, truth_),
        service_(options_, timers_, log_, truth_, fault_book_),
        server_(
            {options_.host, static_cast<std::uint16_t>(options_.port), MostConnections(options_)},
            timers_,
            [this](std::shared_ptr<Exchange> exchange) { service_.Handle(std::move(exchange)); }),
        load_(timers_, [this](Ns) { FinishLoading(); }),
        death_(timers_, [this](Ns) { startup_.DieWhileLoading(); }),
        end_(timers_, [this](Ns) { Exit("terminated", 0); }) {}

  int Run();

 private:
  bool Bind();
  bool Prepare();
  void StartLoading();
  void FinishLoading();
  void ModelFailed(const ModelFileError& error);
  void OnSignal();
  void Exit(const char* how, int code);

  Options options_;
  TimerQueue timers_;
  Log log_;
  TruthLog truth_;
  FaultBook fault_book_;
  StartupFaults startup_;
  Service service_;
  Server server_;
  Timer load_;
  Timer death_;
  Timer end_;
  bool terminating_ = false;
  int exit_code_ = 0;
};

bool Process::Bind() {
  if (!startup_.BindFails() && server_.Listen()) {
    if (options_.listening_fd >= 0) ::close(options_.listening_fd);
    return true;
  }
  log_.Server(1, 'E', "start", "couldn't bind HTTP server socket, hostname: {}, port: {}",
              options_.host, options_.port);
  log_.Server(3, 'I', "operator()", "operator(): cleaning up before exit...");
  log_.Server(1, 'E', "llama_server", "exiting due to HTTP server error");
  return false;
}

void Process::ModelFailed(const ModelFileError& error) {
  const std::string& path = options_.model;
  log_.Plain(1, 'E', "{}", error.reason);
  log_.Plain(1, 'E',
             "llama_model_load: error loading model: llama_model_loader: failed to load model from "
             "{}",
             path);
  log_.Plain(1, 'E', "llama_model_load_from_file_impl: failed to load model");
  log_.Common(1, 'E', "common_init_", "failed to load model '{}'", path);
  log_.Server(1, 'E', "load_model", "failed to load model, '{}'", path);
  log_.Server(3, 'I', "operator()", "operator(): cleaning up before exit...");
  log_.Server(1, 'E', "llama_server", "exiting due to model loading error");
  Exit("bad model", 1);
}

void Process::FinishLoading() {
  ModelFile model;
  if (!options_.model.empty()) {
    if (const auto error = ReadModelFile(options_.model, model)) {
      ModelFailed(*error);
      return;
    }
  }
  if (const auto reason = startup_.RefusesModel()) {
    ModelFailed({*reason});
    return;
  }
  service_.Loaded(std::move(model));
  const EngineConfig& engine = service_.engine();
  startup_.SplitOntoIntegratedGpu(engine, service_.model());
  HardwareLog(log_, options_).Load(engine, service_.model(), 0.0);
  log_.Server(3, 'I', "load_model",
              "initializing, n_slots = {}, n_ctx_slot = {}, kv_unified = '{}'", engine.slots,
              engine.context_per_slot, engine.unified_kv);
  log_.Server(3, 'I', "llama_server", "model loaded");
  const std::string address = options_.unix_socket()
                                  ? fmt::format("unix://{}", options_.host)
                                  : fmt::format("http://{}:{}", options_.host, server_.port());
  if (options_.dialect.build == kCurrent) {
    log_.Server(3, 'I', "llama_server", "listening on {}", address);
  } else {
    log_.Plain(3, 'I', "main: server is listening on {} - starting the main loop", address);
  }
  // Only now: a signal during the load kills, as there.
  server_.OnSignal([this] { OnSignal(); });
}

void Process::OnSignal() {
  if (startup_.IgnoresSigterm()) return;
  if (terminating_) {
    static constexpr char kText[] = "Received second interrupt, terminating immediately.\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText, sizeof kText - 1);
    truth_.End("second signal", Now());
    ::_exit(1);
  }
  terminating_ = true;
  log_.Server(3, 'I', "operator()", "operator(): cleaning up before exit...");
  server_.StopListening();
  service_.HaltStreams();
  server_.CloseIdle();
  if (!service_.streaming()) {
    Exit("terminated", 0);
    return;
  }
  // The threads that serve streams notice only when their next ping is due.
  const double ping = options_.sse_ping_interval_s;
  end_.Set(Now() + FromMs((ping > 0.0 ? ping : 30.0) * 1e3));
}

void Process::Exit(const char* how, int code) {
  exit_code_ = code;
  service_.AbandonStreams();
  truth_.End(how, Now());
  server_.Stop();
}

bool Process::Prepare() {
  if (!options_.truth_log.empty()) {
    if (!truth_.Open(options_.truth_log)) {
      log_.Server(1, 'E', "mock", "cannot write '{}': {}", options_.truth_log,
                  std::strerror(errno));
      return false;
    }
    truth_.Start(options_.timing.name, options_.seed, Now());
  }
  if (!options_.fault_file.empty()) {
    if (const auto problem = fault_book_.LoadFile(options_.fault_file)) {
      log_.Server(1, 'E', "mock", "fault script '{}': {}", options_.fault_file, *problem);
      return false;
    }
  }
  return true;
}

void Process::StartLoading() {
  HardwareLog(log_, options_).Devices();
  log_.Server(3, 'I', "load_model", "loading model '{}'", options_.model);
  if (const auto after = startup_.DiesAfterMs()) death_.Set(Now() + FromMs(*after));
  if (startup_.NeverReady()) return;
  const double warm_up = options_.warm_up ? options_.timing.warm_up_ms : 0.0;
  load_.Set(Now() + FromMs(options_.timing.load_ms + warm_up));
}

int Process::Run() {
  log_.Server(3, 'I', "llama_server", "initializing ...");
  RaiseFileLimit();
  if (!Prepare()) return 1;
  startup_.BeforeBind([](Options options) { (void)RunServer(std::move(options)); });
  if (options_.api_keys.empty()) {
    log_.Server(2, 'W', "llama_server", "security: no API key is set and CORS allows all origins");
  }
  if (!Bind()) return 1;
  StartLoading();
  server_.OnRound([this](bool quiet) {
    service_.Tidy();
    if (quiet) truth_.Flush();
    if (terminating_ && !service_.streaming()) Exit("terminated", 0);
  });
  server_.Run();
  return exit_code_;
}

}  // namespace

int RunServer(Options options) { return Process(std::move(options)).Run(); }

}  // namespace mock
