// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/readiness.h"

#include <algorithm>

#include "backend/http/control_client.h"

namespace rocm::llama_server {
namespace {

using std::chrono::milliseconds;

// A tenth of the time so far: the load time that is reported is then at most so much too long.
constexpr milliseconds kShortestPause{5};
constexpr milliseconds kLongestPause{100};
// A server that loads may hold a connection before it answers; its exit ends the call at once.
constexpr milliseconds kHealthDeadline{1'000};
// The first answers may wait behind the end of a load.
constexpr milliseconds kProofDeadline{10'000};

std::string Seconds(milliseconds time) {
  return time % milliseconds{1000} == milliseconds{0} ? std::to_string(time.count() / 1000) + " s"
                                                      : std::to_string(time.count()) + " ms";
}

tl::unexpected<Error> Impostor(const http::Endpoint& endpoint, const std::string& how) {
  return Fail(ErrorCode::kWrongServer,
              "what answers at " + endpoint.ToString() + " is not the server we started: " + how);
}

}  // namespace

Result<http::Endpoint> AwaitReady(const ReadinessSource& source, const ReadinessOptions& options) {
  const TimePoint start = Now();
  std::string last_answer = "it never answered";
  for (;;) {
    if (const auto endpoint = source.endpoint()) {
      const auto health = http::ControlClient(*endpoint).Get(
          "/health", {.deadline = kHealthDeadline, .cancel = options.stop});
      if (health && health->status == 200) return *endpoint;
      last_answer = health ? "its last answer was HTTP " + std::to_string(health->status)
                           : "its last answer: " + health.error().message;
    }
    if (options.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the load was cancelled");
    if (options.on_waiting) options.on_waiting();
    const auto tenth = std::chrono::duration_cast<milliseconds>(Now() - start) / 10;
    if (source.wait_exited(std::clamp(tenth, kShortestPause, kLongestPause))) {
      return Fail(ErrorCode::kServerExited, "llama-server ended while loading");
    }
    const TimePoint now = Now();
    if (now - start >= options.load_timeout) {
      return Fail(ErrorCode::kStartTimeout, "llama-server was not ready after " +
                                                Seconds(options.load_timeout) + "; " + last_answer);
    }
    if (now - std::max(source.last_activity(), start) >= options.stall_timeout) {
      return Fail(ErrorCode::kStartTimeout, "llama-server showed no sign of life for " +
                                                Seconds(options.stall_timeout) + "; " +
                                                last_answer);
    }
  }
}

Result<void> ProveIdentity(const http::Endpoint& endpoint, const std::string& alias,
                           std::stop_token stop) {
  const http::CallOptions options{.deadline = kProofDeadline, .cancel = std::move(stop)};
  const auto models = http::ControlClient(endpoint).Get("/v1/models", options);
  if (!models) return Fail(models.error());
  if (models->status == 401 || models->status == 403) {
    return Impostor(endpoint, "it refuses our key");
  }
  // Nobody else can know the name: it was made for this one process.
  if (!models->ok() ||
      (!alias.empty() && models->body.find('"' + alias + '"') == std::string::npos)) {
    return Impostor(endpoint, "it does not know the name that we gave ours");
  }
  if (endpoint.api_key.empty()) return {};
  http::Endpoint keyless = endpoint;
  keyless.api_key.clear();
  const auto refused = http::ControlClient(keyless).Get("/props", options);
  if (!refused) return Fail(refused.error());
  if (refused->status != 401 && refused->status != 403) {
    return Impostor(endpoint, "it asks for no key");
  }
  return {};
}

}  // namespace rocm::llama_server
