// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/server_model.h"

#include <chrono>
#include <string>
#include <utility>

#include "backend/base/clock.h"
#include "backend/http/control_client.h"
#include "backend/rocm/applied_settings.h"
#include "backend/rocm/batch.h"
#include "backend/rocm/token_stream_source.h"
#include "backend/wire/completion_request.h"
#include "backend/wire/control_reply.h"
#include "backend/wire/error_reply.h"

namespace rocm {
namespace {

// What a llama-server gets to notice that its streams are gone (it needs 6 ms). SIGTERM meanwhile
// finds it holding its queue's lock, which its signal handler wants as well: one in ten hung.
constexpr std::chrono::milliseconds kSettle{50};

// The template is rendered in one go: a server that has not answered within the stall timeout has
// stalled. Zero means none, of both.
bool StallComesFirst(const GenerateConfig& config) {
  return config.stall_timeout.count() > 0 &&
         (config.deadline.count() <= 0 || config.stall_timeout < config.deadline);
}

Result<std::string> ApplyTemplate(const llama_server::Server& server, const std::string& request,
                                  const GenerateConfig& config) {
  const bool stalls = StallComesFirst(config);
  http::CallOptions options;
  options.deadline = stalls ? config.stall_timeout : config.deadline;
  options.cancel = config.cancel;
  const auto reply =
      http::ControlClient(server.endpoint()).PostOk("/apply-template", request, options);
  if (!reply && stalls && reply.error().code == ErrorCode::kDeadlineExceeded) {
    return Fail(server.Explain(wire::MakeError(
        ErrorCode::kStalled, "/apply-template: no answer from the server for " +
                                 std::to_string(config.stall_timeout.count()) + " ms")));
  }
  if (!reply) return Fail(server.Explain(reply.error()));
  auto prompt = wire::ParseTemplated(reply->body);
  if (!prompt) return Fail(server.Explain(prompt.error()));
  return prompt;
}

// Takes what has passed since `start` off the deadline.
Result<void> Shorten(std::chrono::milliseconds& deadline, TimePoint start) {
  if (deadline.count() <= 0) return {};
  const std::chrono::milliseconds whole = deadline;
  deadline -= std::chrono::floor<std::chrono::milliseconds>(Now() - start);
  if (deadline.count() > 0) return {};
  return Fail(wire::MakeError(
      ErrorCode::kDeadlineExceeded,
      "the call did not end within its deadline of " + std::to_string(whole.count()) + " ms"));
}

}  // namespace

Result<std::unique_ptr<ServerModel>> ServerModel::Start(LoadPlan plan) {
  auto core = std::make_shared<ModelCore>();
  std::unique_ptr<Restarter> restarter;
  if (plan.server.load.restart.max_restarts > 0) {
    restarter = std::make_unique<Restarter>(core, plan);
    plan.server.on_exit = restarter->exit_notice();
  }
  auto server = llama_server::Server::Start(plan.server);
  if (!server) return Fail(std::move(server.error()));
  auto applied = VerifyServer(plan, **server);
  if (!applied) return Fail(std::move(applied.error()));
  core->set_server(std::shared_ptr<llama_server::Server>(std::move(*server)), std::move(*applied));

  std::unique_ptr<ServerModel> model(new ServerModel(std::move(plan), core));
  if (restarter) restarter->Arm();
  model->restarter_ = std::move(restarter);
  if (model->plan_.estimate) {
    model->memory_report_ = CompareMemory(*model->plan_.estimate, core->server()->facts());
  }
  Report(model->plan_.server.load, LoadProgress::State::kReady,
         model->memory_report_ ? model->memory_report_->ToString() : "");
  return model;
}

ServerModel::ServerModel(LoadPlan plan, std::shared_ptr<ModelCore> core)
    : plan_(std::move(plan)), core_(std::move(core)) {}

ServerModel::~ServerModel() { (void)Close(); }

Result<std::shared_ptr<llama_server::Server>> ServerModel::LiveServer() const {
  auto server = core_->server();
  if (server == nullptr) return Fail(ErrorCode::kClosed, "the model is closed");
  if (server->alive()) return server;
  Error error;
  error.code = ErrorCode::kServerExited;
  error.message = "llama-server is not running";
  error = server->Explain(std::move(error), std::chrono::milliseconds{0});
  error.retryable = restarter_ != nullptr && !restarter_->gave_up();
  return Fail(std::move(error));
}

Result<TokenStream> ServerModel::Stream(wire::Api api, std::string body,
                                        std::shared_ptr<llama_server::Server> server,
                                        const GenerateConfig& config) const {
  http::StreamRequest request;
  request.api = api;
  request.body = std::move(body);
  request.stall_timeout = config.stall_timeout;
  request.deadline = config.deadline;
  return TokenStream(
      std::make_unique<TokenStream::Source>(core_, std::move(server), std::move(request), config));
}

Result<TokenStream> ServerModel::Generate(std::string_view prompt, const GenerateConfig& config) {
  auto server = LiveServer();
  if (!server) {
    core_->calls.Failed(server.error());
    return Fail(std::move(server.error()));
  }
  auto body = wire::BuildRequest(wire::Api::kNative, prompt, config);
  if (!body) return Fail(std::move(body.error()));
  return Stream(wire::Api::kNative, std::move(*body), std::move(*server), config);
}

// The server's template first, then the native endpoint: the only streaming way that carries ids
// without slowing the server down.
Result<TokenStream> ServerModel::Chat(std::span<const Message> messages,
                                      const GenerateConfig& config) {
  auto server = LiveServer();
  if (!server) {
    core_->calls.Failed(server.error());
    return Fail(std::move(server.error()));
  }
  if (config.server_chat) {
    auto body = wire::BuildRequest(wire::Api::kChat, messages, config);
    if (!body) return Fail(std::move(body.error()));
    return Stream(wire::Api::kChat, std::move(*body), std::move(*server), config);
  }
  auto request = wire::BuildApplyTemplate(messages);
  if (!request) return Fail(std::move(request.error()));
  const TimePoint start = Now();
  const auto prompt = ApplyTemplate(**server, *request, config);
  GenerateConfig rest = config;
  const auto in_time = Shorten(rest.deadline, start);
  if (!prompt || !in_time) {
    const Error& error = prompt ? in_time.error() : prompt.error();
    core_->calls.Failed(error);
    return Fail(error);
  }
  auto body = wire::BuildRequest(wire::Api::kNative, std::string_view(*prompt), rest);
  if (!body) return Fail(std::move(body.error()));
  return Stream(wire::Api::kNative, std::move(*body), std::move(*server), rest);
}

std::vector<Result<Classification>> ServerModel::Classify(std::span<const std::string> prompts,
                                                          const GenerateConfig& config) {
  return rocm::Classify(*this, prompts, config, plan_.server.slots);
}

std::vector<Result<Generation>> ServerModel::BatchGenerate(std::span<const std::string> prompts,
                                                           const GenerateConfig& config) {
  return rocm::BatchGenerate(*this, prompts, config, plan_.server.slots);
}

std::string ServerModel::ModelType() const { return plan_.model.architecture; }

ModelInfo ServerModel::Info() const {
  ModelInfo info = plan_.model;
  info.backend = plan_.backend;
  Applied applied = core_->applied();
  info.server_build = std::move(applied.build);
  info.requested = plan_.server.load;
  info.applied = std::move(applied.settings);
  return info;
}

ModelMetrics ServerModel::Metrics() const {
  ModelMetrics metrics = core_->calls.metrics();
  if (const auto server = core_->server()) {
    metrics.load_duration = server->load_duration();
    const ProcessMemory memory = ReadProcessMemory(server->pid(), plan_.device);
    metrics.active_memory_bytes = memory.active_bytes;
    metrics.peak_memory_bytes = memory.peak_bytes;
  }
  if (restarter_) metrics.restarts = restarter_->restarts();
  return metrics;
}

std::optional<Error> ServerModel::Err() const { return core_->calls.last_error(); }

bool ServerModel::Alive() const {
  const auto server = core_->server();
  return server != nullptr && server->alive();
}

void ServerModel::StopRestarting() {
  if (restarter_) restarter_->Disarm();
}

// Streams go first: a llama-server that is asked to stop while it streams needs seconds.
Result<void> ServerModel::Close() {
  const std::lock_guard lock(close_mutex_);
  if (restarter_) restarter_->Disarm();
  const bool streaming = core_->streams.size() > 0;
  core_->streams.CloseAll(ErrorCode::kClosed);
  const auto server = core_->server();
  if (server == nullptr) return {};
  core_->take_server();
  if (streaming) static_cast<void>(server->WaitExited(kSettle));
  auto report = server->Stop(plan_.server.load.stop_grace);
  if (!report) return Fail(std::move(report.error()));
  return {};
}

}  // namespace rocm
