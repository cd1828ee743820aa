// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/target.h"

#include <fmt/format.h>

#include "backend/backend.h"
#include "harness/target/attached_target.h"
#include "harness/target/managed_target.h"

namespace harness {

std::string_view ToString(TargetKind kind) {
  switch (kind) {
    case TargetKind::kMock: return "mock";
    case TargetKind::kLlamaServer: return "llama-server";
    case TargetKind::kAttached: return "attached";
  }
  return "";
}

rocm::Result<TargetOptions> ParseTarget(std::string_view text) {
  TargetOptions options;
  if (text == "mock") return options;
  if (text == "llama-server") {
    options.kind = TargetKind::kLlamaServer;
    return options;
  }
  if (text.find(':') == std::string_view::npos) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("unknown target {}: give mock, llama-server, http://HOST:PORT or "
                                  "unix:PATH",
                                  text));
  }
  options.kind = TargetKind::kAttached;
  options.url = text;
  const auto endpoint = rocm::http::ParseEndpoint(text);
  if (!endpoint) return tl::unexpected(endpoint.error());
  return options;
}

RestartOutcome Target::AwaitRestart(rocm::TimePoint /*deadline*/, const std::stop_token& /*stop*/) {
  return RestartOutcome::kRefused;
}

rocm::Result<std::string> BackendName(const TargetOptions& options) {
  if (options.kind != TargetKind::kLlamaServer) return std::string(ToString(options.kind));
  const auto backend = ChooseBackend(options);
  if (!backend) return tl::unexpected(backend.error());
  return std::string((*backend)->Name());
}

rocm::Result<std::unique_ptr<Target>> OpenTarget(const TargetOptions& options,
                                                 const ServerSettings& settings, int streams,
                                                 std::stop_token stop) {
  if (options.kind == TargetKind::kAttached) return AttachedTarget::Open(options, stop);
  return ManagedTarget::Start(options, settings, streams, stop);
}

}  // namespace harness
