// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>

#include "harness/target/target.h"

namespace harness {

// Someone else's server: asked what it is, never started, stopped or killed.
class AttachedTarget final : public Target {
 public:
  [[nodiscard]] static rocm::Result<std::unique_ptr<Target>> Open(const TargetOptions& options,
                                                                  std::stop_token stop);

  [[nodiscard]] const TargetFacts& facts() const override { return facts_; }
  [[nodiscard]] const rocm::http::Endpoint& endpoint() const override { return endpoint_; }
  [[nodiscard]] bool alive() const override { return true; }
  [[nodiscard]] rocm::Error Explain(rocm::Error error) const override { return error; }
  rocm::Result<void> Stop(std::chrono::milliseconds grace) override;

 private:
  AttachedTarget(rocm::http::Endpoint endpoint, TargetFacts facts);
  rocm::http::Endpoint endpoint_;
  TargetFacts facts_;
};

}  // namespace harness
