// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/managed_target.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>

#include "backend/backend.h"
#include "backend/gguf/synthetic_model.h"
#include "backend/llama_server/server.h"
#include "backend/rocm/server_model.h"
#include "harness/target/identify.h"

namespace harness {
// The names in the order of preference. Without a card the processor is used, and records say so.
rocm::Result<std::shared_ptr<rocm::Backend>> ChooseBackend(const TargetOptions& options) {
  if (!options.backend.empty()) {
    auto backend = rocm::GetBackend(options.backend);
    if (backend != nullptr) return backend;
    std::string known;
    for (const auto& name : rocm::ListBackends()) known += (known.empty() ? "" : ", ") + name;
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("unknown backend {}: there are {}", options.backend, known));
  }
  if (options.kind != TargetKind::kMock) {
    for (const char* name : {"rocm", "cuda"}) {
      auto backend = rocm::GetBackend(name);
      if (backend != nullptr && backend->Available().available) return backend;
    }
  }
  return rocm::GetBackend("cpu");
}

rocm::Result<std::string> FindMockServer() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto mock = self.parent_path() / "mock-llama-server";
  if (error || ::access(mock.c_str(), X_OK) != 0) {
    return rocm::Fail(
        rocm::ErrorCode::kBinaryNotFound,
        fmt::format("the mock server is not beside this program: looked for {}", mock.string()));
  }
  return mock.string();
}

rocm::LoadConfig MakeLoadConfig(const TargetOptions& options, const ServerSettings& settings,
                                int streams) {
  rocm::LoadConfig config;
  config.server_binary = options.server_binary;
  config.device = options.device;
  config.ignore_estimate = options.ignore_estimate;
  config.context_len = settings.context_per_slot.value_or(0);
  config.parallel_slots = settings.slots.value_or(0);
  config.gpu_layers = settings.gpu_layers.value_or(-1);
  config.flash_attention = settings.flash_attention.value_or(rocm::FlashAttention::kServerDefault);
  config.kv_type_k = settings.kv_type_k.value_or("");
  config.kv_type_v = settings.kv_type_v.value_or("");
  config.threads = settings.threads.value_or(0);
  config.expected_streams = streams;
  config.environment = settings.environment;
  config.load_timeout = options.load_timeout;
  config.stall_timeout = options.stall_timeout;
  config.restart = options.restart;
  config.on_progress = options.on_progress;
  if (settings.batch_size) {
    config.extra_args.insert(config.extra_args.end(),
                             {"--batch-size", fmt::format("{}", *settings.batch_size)});
  }
  if (settings.ubatch_size) {
    config.extra_args.insert(config.extra_args.end(),
                             {"--ubatch-size", fmt::format("{}", *settings.ubatch_size)});
  }
  if (settings.split_mode) {
    config.extra_args.insert(config.extra_args.end(), {"--split-mode", *settings.split_mode});
  }
  if (settings.tensor_split) {
    config.extra_args.insert(config.extra_args.end(), {"--tensor-split", *settings.tensor_split});
  }
  const auto append = [&config](const std::vector<std::string>& args) {
    config.extra_args.insert(config.extra_args.end(), args.begin(), args.end());
  };
  append(settings.args);
  append(options.server_args);
  return config;
}

rocm::Result<std::unique_ptr<Target>> ManagedTarget::Start(const TargetOptions& options,
                                                           const ServerSettings& settings,
                                                           int streams, std::stop_token stop) {
  rocm::LoadConfig config = MakeLoadConfig(options, settings, streams);
  config.stop = stop;
  if (options.kind == TargetKind::kMock && config.server_binary.empty()) {
    auto mock = FindMockServer();
    if (!mock) return tl::unexpected(mock.error());
    config.server_binary = *std::move(mock);
  }
  auto backend = ChooseBackend(options);
  if (!backend) return tl::unexpected(backend.error());
  auto model = (*backend)->LoadModel(options.model, config);
  if (!model) return tl::unexpected(model.error());

  std::unique_ptr<ManagedTarget> target(new ManagedTarget);
  auto* const server_model = dynamic_cast<rocm::ServerModel*>(model->get());
  if (server_model != nullptr) target->server_ = server_model->server();
  if (target->server_ == nullptr) {
    return rocm::Fail(rocm::ErrorCode::kInternal,
                      fmt::format("the backend {} runs no llama-server", (*backend)->Name()));
  }
  TargetFacts& facts = target->facts_;
  facts.kind = options.kind;
  facts.backend = options.kind == TargetKind::kMock ? "mock" : std::string((*backend)->Name());
  facts.model = (*model)->Info();
  facts.build = facts.model->server_build;
  facts.applied = facts.model->applied;
  facts.memory = server_model->memory_report();
  target->ReadFacts();
  facts.llama_server = true;
  facts.chain = SpeaksChain(target->server_->endpoint(), stop);
  facts.random_weights = facts.model->name.starts_with(rocm::gguf::kSyntheticName);
  target->model_ = *std::move(model);
  return std::unique_ptr<Target>(std::move(target));
}

void ManagedTarget::ReadFacts() {
  const rocm::llama_server::Server& server = *server_;
  facts_.binary = server.argv().empty() ? "" : server.argv().front();
  facts_.argv = server.argv();
  facts_.environment = server.environment();
  const rocm::llama_server::LogFacts log = server.facts();
  facts_.layers = log.layers_total;
  facts_.buffers = log.buffers;
  facts_.gpus.clear();
  for (const auto& device : log.devices) {
    if (!device.used) continue;
    facts_.gpus.push_back(
        {device.description, static_cast<std::uint64_t>(device.total_mib.value_or(0)) << 20});
  }
  facts_.load_duration = server.load_duration();
  facts_.pid = server.pid();
}

int ManagedTarget::exit_fd() const { return server_->exit_fd(); }

std::function<bool()> ManagedTarget::RestartProbe() const {
  return [model = dynamic_cast<const rocm::ServerModel*>(model_.get()), old = server_.get()] {
    const auto server = model == nullptr ? nullptr : model->server();
    return server != nullptr && server.get() != old && server->alive();
  };
}

RestartOutcome ManagedTarget::AwaitRestart(rocm::TimePoint deadline, const std::stop_token& stop) {
  const auto* const model = dynamic_cast<const rocm::ServerModel*>(model_.get());
  while (model != nullptr) {
    auto server = model->server();
    if (server != nullptr && server != server_ && server->alive()) {
      server_ = std::move(server);
      ReadFacts();
      return RestartOutcome::kServing;
    }
    if (!model->restarting()) break;
    if (stop.stop_requested() || rocm::Now() >= deadline) return RestartOutcome::kTimedOut;
    (void)::poll(nullptr, 0, 1);
  }
  return RestartOutcome::kRefused;
}

ManagedTarget::~ManagedTarget() = default;

const rocm::http::Endpoint& ManagedTarget::endpoint() const { return server_->endpoint(); }
bool ManagedTarget::alive() const { return server_->alive(); }
rocm::Error ManagedTarget::Explain(rocm::Error error) const {
  return server_->Explain(std::move(error));
}

rocm::Result<void> ManagedTarget::Stop(std::chrono::milliseconds grace) {
  // Or what is stopped here would be started again.
  if (auto* const model = dynamic_cast<rocm::ServerModel*>(model_.get())) model->StopRestarting();
  auto report = server_->Stop(grace);
  const auto closed = model_->Close();
  if (!report) return tl::unexpected(report.error());
  return closed;
}

}  // namespace harness
