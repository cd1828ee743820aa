// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/gpu_facts.h"

#include <fmt/format.h>

#include <string_view>

#include "backend/gpu/sensors.h"
#include "backend/gpu/sysfs.h"

namespace harness {
namespace {

// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu …", in newer ones "Open Kernel
// Module for x86_64  550…": the first word that begins with a digit and holds a dot.
std::string NvidiaVersion(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty()) {
    const auto start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) return "";
    text.remove_prefix(start);
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    const bool number = word[0] >= '0' && word[0] <= '9';
    if (number && word.find('.') != std::string_view::npos) return std::string(word);
    text.remove_prefix(word.size());
  }
  return "";
}

}  // namespace

GpuFacts FactsOf(const rocm::gpu::Device& device, const std::string& root) {
  using rocm::gpu::ReadText;
  GpuFacts facts;
  facts.model = device.name;
  facts.uuid = device.uuid;
  facts.power_cap_w = rocm::gpu::ReadSensors(device).power_cap_watts;
  if (device.vendor == rocm::gpu::Vendor::kNvidia) {
    const auto version = NvidiaVersion(ReadText(root + "/proc/driver/nvidia/version").value_or(""));
    if (!version.empty()) facts.driver = fmt::format("nvidia {}", version);
    return facts;
  }
  if (const auto version = ReadText(root + "/sys/module/amdgpu/version")) {
    facts.driver = fmt::format("amdgpu {}", *version);
  }
  if (const auto version = ReadText(root + "/opt/rocm/.info/version")) {
    facts.runtime = fmt::format("ROCm {}", *version);
  }
  if (!device.sysfs.empty()) {
    facts.performance_level =
        ReadText(device.sysfs + "/power_dpm_force_performance_level").value_or("");
  }
  return facts;
}

}  // namespace harness
