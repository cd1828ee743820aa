// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/server.h"

#include <utility>

#include "backend/llama_server/launcher.h"
#include "backend/llama_server/log_classifier.h"
#include "backend/llama_server/running_server.h"

namespace rocm::llama_server {
namespace {

constexpr std::size_t kLinesToJudge = 100;

// Failures that a dying server causes on the wire. The others are answers, or the caller's doing.
bool MayComeFromDeath(ErrorCode code) {
  switch (code) {
    case ErrorCode::kConnectionRefused:
    case ErrorCode::kConnectionReset:
    case ErrorCode::kTruncated:
    case ErrorCode::kProtocol:
    case ErrorCode::kStalled:
    case ErrorCode::kServerError:
    case ErrorCode::kServerExited:
    case ErrorCode::kIo: return true;
    default: return false;
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(ServerConfig config) {
  auto running = Launcher(std::move(config)).Launch();
  if (!running) return Fail(running.error());
  return std::unique_ptr<Server>(new Server(std::move(*running)));
}

Server::Server(std::unique_ptr<RunningServer> running) : running_(std::move(running)) {}

Server::~Server() { static_cast<void>(Stop(running_->stop_grace)); }

const http::Endpoint& Server::endpoint() const { return running_->endpoint; }
pid_t Server::pid() const { return running_->child->pid(); }
bool Server::alive() const { return running_->child->alive(); }
std::optional<ExitInfo> Server::exit_info() const { return running_->child->exit_info(); }
int Server::exit_fd() const { return running_->child->exit_fd(); }
std::vector<std::string> Server::log_tail(std::size_t lines) const {
  return running_->child->LogTail(lines);
}
const std::vector<std::string>& Server::argv() const { return running_->argv; }
const std::vector<std::string>& Server::environment() const { return running_->environment; }
const std::map<std::string, std::string>& Server::recorded_environment() const {
  return running_->recorded_environment;
}
const Capabilities& Server::capabilities() const { return running_->capabilities; }
LogFacts Server::facts() const { return running_->log->facts(); }
std::chrono::nanoseconds Server::load_duration() const { return running_->load_duration; }
const std::string& Server::alias() const { return running_->alias; }

bool Server::WaitExited(std::chrono::milliseconds timeout) const {
  return running_->child->WaitExited(timeout);
}

Result<StopReport> Server::Stop(std::chrono::milliseconds grace) {
  if (!running_->child->exit_info()) running_->stopping = true;
  auto stopped = running_->child->Stop(grace);
  if (!stopped) return Fail(stopped.error());
  return StopReport{
      .exit = stopped->exit, .killed = stopped->killed, .duration = stopped->duration};
}

Error Server::Explain(Error error, std::chrono::milliseconds wait) const {
  // A whole answer, a silence or a failure of this side's own comes from no death that is yet to be
  // seen.
  const bool answered = error.code == ErrorCode::kServerError && error.http_status != 0;
  if (answered || error.code == ErrorCode::kStalled || error.code == ErrorCode::kIo) {
    wait = std::chrono::milliseconds{0};
  }
  if (!MayComeFromDeath(error.code) || !WaitExited(wait)) return error;
  const std::string context = error.message.empty() ? std::string("llama-server ended")
                                                    : error.message + ": llama-server ended";
  if (running_->stopping) {
    error.code = ErrorCode::kClosed;
    error.message = "the server was stopped";
    error.exit = exit_info();
    return error;
  }
  const auto lines = log_tail(kLinesToJudge);
  Error death = DescribeDeath(context, *exit_info(), lines);
  death.http_status = error.http_status;
  return death;
}

}  // namespace rocm::llama_server
