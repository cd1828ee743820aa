// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/attached_target.h"

#include <fmt/format.h>

#include "backend/http/control_client.h"
#include "backend/wire/control_reply.h"
#include "harness/target/identify.h"

namespace harness {

AttachedTarget::AttachedTarget(rocm::http::Endpoint endpoint, TargetFacts facts)
    : endpoint_(std::move(endpoint)), facts_(std::move(facts)) {}

rocm::Result<std::unique_ptr<Target>> AttachedTarget::Open(const TargetOptions& options,
                                                           std::stop_token stop) {
  auto endpoint = rocm::http::ParseEndpoint(options.url);
  if (!endpoint) return tl::unexpected(endpoint.error());
  endpoint->api_key = options.api_key;
  auto facts = Identify(*endpoint, stop);
  if (!facts) {
    rocm::Error error = facts.error();
    error.message = fmt::format("{}: {}", endpoint->ToString(), error.message);
    return rocm::Fail(std::move(error));
  }
  facts->kind = TargetKind::kAttached;
  facts->backend = "attached";
  if (!options.served_model.empty()) facts->served_model = options.served_model;
  return std::unique_ptr<Target>(new AttachedTarget(*std::move(endpoint), *std::move(facts)));
}

rocm::Result<void> AttachedTarget::Stop(std::chrono::milliseconds /*grace*/) { return {}; }

}  // namespace harness
