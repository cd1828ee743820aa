// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/restart_policy.h"

#include <algorithm>

namespace rocm::llama_server {

bool IsRestartable(ErrorCode code) {
  switch (code) {
    case ErrorCode::kServerExited:
    case ErrorCode::kDeviceError:
    case ErrorCode::kPortInUse:
    case ErrorCode::kWrongServer: return true;
    default: return false;
  }
}

RestartDecision RestartDecider::Decide(const Error& why, TimePoint now) {
  const auto refuse = [](std::string reason) {
    return RestartDecision{
        .restart = false, .delay = std::chrono::milliseconds{0}, .reason = std::move(reason)};
  };
  if (policy_.max_restarts <= 0) return refuse("restarts are not switched on");
  if (!IsRestartable(why.code)) {
    return refuse("a restart would not help against " + std::string(ToString(why.code)));
  }
  while (!granted_.empty() && now - granted_.front() >= policy_.window) granted_.pop_front();
  const auto recent = static_cast<int>(granted_.size());
  const std::string within = " within " + std::to_string(policy_.window.count()) + " ms";
  if (recent >= policy_.max_restarts) {
    return refuse(std::to_string(recent) + " restarts" + within + " are all that is allowed");
  }
  std::chrono::milliseconds delay = policy_.initial_backoff;
  for (int i = 0; i < recent && delay < policy_.max_backoff; ++i) delay *= 2;
  granted_.push_back(now);
  return {.restart = true,
          .delay = std::clamp(delay, std::chrono::milliseconds{0},
                              std::max(policy_.max_backoff, std::chrono::milliseconds{0})),
          .reason = "restart " + std::to_string(recent + 1) + " of " +
                    std::to_string(policy_.max_restarts) + within};
}

std::optional<std::chrono::milliseconds> RestartDecider::Next(const Error& why, TimePoint now) {
  const RestartDecision decision = Decide(why, now);
  if (!decision.restart) return std::nullopt;
  return decision.delay;
}

}  // namespace rocm::llama_server
