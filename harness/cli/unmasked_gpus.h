// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <string>

#include "harness/cli/run_context.h"
#include "harness/scenario/scenario.h"

namespace harness {

// The action kUnmask: the crash of an integrated GPU that llama-server's auto-fit puts tensors on.
// On hardware every AMD GPU is put in sight; the mock is made to behave like such a machine.
class Unmasking {
 public:
  // Not `active`: nothing below does anything.
  Unmasking(const RunContext& context, bool active);
  ~Unmasking();
  Unmasking(const Unmasking&) = delete;
  Unmasking& operator=(const Unmasking&) = delete;

  // For every start: the machine.
  void Prepare(TargetOptions& options, Scenario& scenario) const;
  // For a start that is to crash: nothing is masked.
  void Lift(TargetOptions& options, Scenario& scenario) const;

 private:
  const RunContext& context_;
  const bool active_;
  std::filesystem::path faults_;  // of the mock
};

// Why a fault scenario cannot be run on this target, or may not; empty: it can.
[[nodiscard]] std::string WhyNotHere(const RunContext& context, const Scenario& scenario);

}  // namespace harness
