// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/restarter.h"

#include <optional>

#include "backend/base/clock.h"
#include "backend/llama_server/restart_policy.h"

namespace rocm {

struct Restarter::Notice {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool armed = false;
  std::optional<ExitInfo> death;  // not answered yet
  int restarts = 0;
  bool gave_up = false;
};

Restarter::Restarter(std::shared_ptr<ModelCore> core, LoadPlan plan)
    : core_(std::move(core)), plan_(std::move(plan)), notice_(std::make_shared<Notice>()) {
  plan_.server.on_exit = exit_notice();
  plan_.server.load.on_progress = nullptr;  // promised to come from the loading thread
}

Restarter::~Restarter() { Disarm(); }

std::function<void(const ExitInfo&)> Restarter::exit_notice() {
  return [notice = notice_](const ExitInfo& exit) {
    const std::lock_guard lock(notice->mutex);
    notice->death = exit;
    notice->changed.notify_all();
  };
}

void Restarter::Arm() {
  const std::lock_guard lock(notice_->mutex);
  notice_->armed = true;
  thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
}

void Restarter::Disarm() {
  {
    const std::lock_guard lock(notice_->mutex);
    notice_->armed = false;
    notice_->gave_up = true;
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

int Restarter::restarts() const {
  const std::lock_guard lock(notice_->mutex);
  return notice_->restarts;
}

bool Restarter::gave_up() const {
  const std::lock_guard lock(notice_->mutex);
  return notice_->gave_up;
}

void Restarter::Run(std::stop_token stop) {
  llama_server::RestartDecider decider(plan_.server.load.restart);
  std::unique_lock lock(notice_->mutex);
  for (;;) {
    if (!notice_->changed.wait(lock, stop, [this] { return notice_->death.has_value(); })) return;
    notice_->death.reset();
    Error reason;
    reason.code = ErrorCode::kServerExited;
    // What the log says of the death decides: out of memory now is out of memory again.
    if (const auto server = core_->server()) reason = server->Explain(std::move(reason));
    for (;;) {
      const auto backoff = decider.Next(reason, Now());
      if (!backoff) {
        notice_->gave_up = true;
        return;
      }
      notice_->changed.wait_for(lock, stop, *backoff, [] { return false; });
      if (stop.stop_requested()) return;
      lock.unlock();
      auto started = StartAgain(stop);
      lock.lock();
      if (started) {
        ++notice_->restarts;
        break;
      }
      reason = started.error();
      notice_->death.reset();  // of the one that did not start: answered by this loop
    }
  }
}

namespace {

// A server that did not say what it runs with, or a card that is not back yet, may do better within
// what the policy allows. Other settings than those asked for will be other ones again.
Error WorthAnotherTry(Error error) {
  switch (error.code) {
    case ErrorCode::kBackendUnavailable: error.code = ErrorCode::kDeviceError; break;
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kStalled:
    case ErrorCode::kIo:
    case ErrorCode::kTruncated:
    case ErrorCode::kConnectionRefused:
    case ErrorCode::kConnectionReset: error.code = ErrorCode::kServerExited; break;
    default: break;
  }
  return error;
}

}  // namespace

Result<void> Restarter::StartAgain(std::stop_token stop) {
  llama_server::ServerConfig config = plan_.server;
  config.load.stop = stop;
  auto server = llama_server::Server::Start(std::move(config));
  if (!server) return Fail(std::move(server.error()));
  auto applied = VerifyServer(plan_, **server);
  if (!applied) return Fail(WorthAnotherTry(std::move(applied.error())));
  core_->set_server(std::shared_ptr<llama_server::Server>(std::move(*server)), std::move(*applied));
  return {};
}

}  // namespace rocm
