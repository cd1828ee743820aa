// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/unmasked_gpus.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <system_error>

namespace harness {
namespace {

constexpr const char* kMask = "ROCR_VISIBLE_DEVICES";
// What the pin of a machine with such a card would be.
constexpr const char* kMockPin = "GPU-0000000000000001";

bool HasKind(const rocm::gpu::Inventory& inventory, rocm::gpu::Kind kind) {
  return std::ranges::any_of(inventory.devices, [&](const rocm::gpu::Device& device) {
    return device.vendor == rocm::gpu::Vendor::kAmd && device.kind == kind && device.ordinal >= 0;
  });
}

}  // namespace

Unmasking::Unmasking(const RunContext& context, bool active) : context_(context), active_(active) {
  if (!active_ || context_.options.target.kind != TargetKind::kMock) return;
  std::string name = (std::filesystem::temp_directory_path() / "igpu-autofit-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  if (fd < 0) return;  // the mock will say that it cannot read the file
  ::close(fd);
  faults_ = name;
  std::ofstream(faults_) << R"({"startup": [{"type": "igpu-autofit", "integrated": 1}]})";
}

Unmasking::~Unmasking() {
  std::error_code ignored;
  if (!faults_.empty()) std::filesystem::remove(faults_, ignored);
}

void Unmasking::Prepare(TargetOptions& options, Scenario& scenario) const {
  if (!active_ || context_.options.target.kind != TargetKind::kMock) return;
  options.server_args.insert(options.server_args.end(), {"--mock-faults", faults_.string()});
  scenario.server.environment[kMask] = kMockPin;
}

void Unmasking::Lift(TargetOptions& /*options*/, Scenario& scenario) const {
  if (!active_) return;
  scenario.server.environment.erase(kMask);
  if (context_.options.target.kind == TargetKind::kMock) return;
  std::string all;
  for (const rocm::gpu::Device& device : context_.inventory.devices) {
    if (device.vendor != rocm::gpu::Vendor::kAmd || device.ordinal < 0) continue;
    all += fmt::format("{}{}", all.empty() ? "" : ",", device.ordinal);
  }
  // The scenario's environment is applied after the backend's own pin, and its arguments after the
  // backend's own: the auto-fit that the backend switches off is on again.
  scenario.server.environment[kMask] = all;
  scenario.server.args.insert(scenario.server.args.end(), {"--fit", "on"});
}

std::string WhyNotHere(const RunContext& context, const Scenario& scenario) {
  const TargetKind kind = context.options.target.kind;
  if (scenario.fault->action != FaultAction::kUnmask || kind == TargetKind::kMock) return "";
  if (!context.options.allow_gpu_crash) {
    return "it crashes a real GPU's context: asked for with --allow-gpu-crash";
  }
  if (!HasKind(context.inventory, rocm::gpu::Kind::kIntegrated) ||
      !HasKind(context.inventory, rocm::gpu::Kind::kDiscrete)) {
    return "it needs an integrated and a discrete AMD GPU that ROCm sees";
  }
  return "";
}

}  // namespace harness
