// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/device_list.h"

#include <charconv>
#include <chrono>
#include <utility>

#include "backend/base/trim.h"
#include "backend/llama_server/capabilities.h"
#include "backend/process/environment.h"
#include "backend/process/run.h"

namespace rocm::llama_server {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;
// A first start of a Vulkan driver compiles for seconds.
constexpr std::chrono::milliseconds kListTimeout{60'000};

// "24105 MiB" in front of `rest`, taken off it.
std::optional<std::uint64_t> TakeMiB(std::string_view& rest) {
  std::uint64_t value = 0;
  const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (end.ec != std::errc()) return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(end.ptr - rest.data()));
  if (!rest.starts_with(" MiB")) return std::nullopt;
  rest.remove_prefix(4);
  return value * kMiB;
}

}  // namespace

std::vector<ListedDevice> ParseDeviceList(std::string_view text) {
  std::vector<ListedDevice> devices;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // "  Vulkan0: llvmpipe (LLVM 22.1.8, 256 bits) (24105 MiB, 23568 MiB free)"
    const std::size_t colon = line.find(": ");
    const std::size_t figures = line.rfind(" (");
    if (!line.starts_with("  ") || colon == std::string_view::npos ||
        figures == std::string_view::npos || figures < colon) {
      continue;
    }
    ListedDevice device;
    device.name = Trim(line.substr(0, colon));
    device.description = Trim(line.substr(colon + 1, figures - colon - 1));
    std::string_view rest = line.substr(figures + 2);
    const auto total = TakeMiB(rest);
    if (!total || !rest.starts_with(", ")) continue;
    rest.remove_prefix(2);
    const auto free = TakeMiB(rest);
    if (!free || device.name.empty() || device.name.find(' ') != std::string::npos) continue;
    device.total_bytes = *total;
    device.free_bytes = *free;
    devices.push_back(std::move(device));
  }
  return devices;
}

Result<std::optional<std::vector<ListedDevice>>> ListDevices(
    const std::string& binary, const gpu::Mask& mask,
    const std::map<std::string, std::string>& environment) {
  auto child = process::BuildEnvironment({.inherited = process::CurrentEnvironment(),
                                          .remove = mask.cleared,
                                          .pin = mask.set,
                                          .set = environment});
  if (!child) return Fail(child.error());
  const auto capabilities = Probe(binary, {.environment = child->entries});
  if (!capabilities) return Fail(capabilities.error());
  if (!capabilities->Has("--list-devices")) return std::nullopt;
  const auto output = process::Run({.executable = binary,
                                    .arguments = {"--list-devices"},
                                    .environment = child->entries,
                                    .timeout = kListTimeout});
  if (!output) return Fail(output.error());
  return ParseDeviceList(output->out + output->err);
}

}  // namespace rocm::llama_server
