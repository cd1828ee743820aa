// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/vram.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "backend/base/trim.h"
#include "backend/gpu/nvml.h"
#include "backend/gpu/sysfs.h"

namespace rocm::gpu {
namespace {

// One open file of a DRM device, as /proc/<pid>/fdinfo shows it.
struct DrmClient {
  std::string pci_address;
  std::uint64_t id = 0;
  std::optional<std::uint64_t> vram_bytes;
};

// "123", "123 KiB" or "123 MiB".
std::optional<std::uint64_t> ParseSize(std::string_view text) {
  const std::size_t space = std::min(text.find(' '), text.size());
  const std::optional<std::uint64_t> number = ParseUnsigned(text.substr(0, space));
  if (!number) return std::nullopt;
  const std::string_view unit = Trim(text.substr(space));
  const int shift = unit == "KiB" ? 10 : unit == "MiB" ? 20 : unit == "GiB" ? 30 : 0;
  if (*number > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return *number << shift;
}

// drm-memory-vram is amdgpu's own name; drm-resident-vram* and drm-total-vram* are the common ones
// of newer kernels. What is resident is what takes room.
DrmClient ParseFdinfo(std::string_view text) {
  DrmClient client;
  std::optional<std::uint64_t> memory;
  std::optional<std::uint64_t> resident;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = Trim(line.substr(colon + 1));
    if (key == "drm-pdev") client.pci_address = value;
    if (key == "drm-client-id") client.id = ParseUnsigned(value).value_or(0);
    if (key == "drm-memory-vram") memory = ParseSize(value);
    if (key.starts_with("drm-resident-vram")) {
      resident = resident.value_or(0) + ParseSize(value).value_or(0);
    }
  }
  client.vram_bytes = resident ? resident : memory;
  return client;
}

std::optional<std::uint64_t> FromFdinfo(const Device& device, int pid, const Places& places) {
  // Several descriptors can stand for one client: it is counted once.
  std::map<std::uint64_t, std::uint64_t> clients;
  for (const auto& [number, path] : Numbered(places.At(fmt::format("/proc/{}/fdinfo", pid)), "")) {
    const DrmClient client = ParseFdinfo(ReadText(path).value_or(""));
    if (client.pci_address != device.pci_address || !client.vram_bytes) continue;
    clients[client.id] = std::max(clients[client.id], *client.vram_bytes);
  }
  if (clients.empty()) return std::nullopt;
  std::uint64_t sum = 0;
  for (const auto& [id, bytes] : clients) sum += bytes;
  return sum;
}

std::string KfdFile(const Device& device, int pid, const Places& places) {
  return places.At(fmt::format("/sys/class/kfd/kfd/proc/{}/vram_{}", pid, device.kfd_gpu_id));
}

}  // namespace

std::optional<CardMemory> ReadCardMemory(const Device& device, const Places& places) {
  if (device.vendor == Vendor::kNvidia) return Nvml::Open(places.nvml)->Memory(device.uuid);
  if (device.sysfs.empty()) return std::nullopt;
  const auto total = ReadUnsigned(device.sysfs + "/mem_info_vram_total");
  const auto used = ReadUnsigned(device.sysfs + "/mem_info_vram_used");
  if (!total || !used) return std::nullopt;
  return CardMemory{*total, std::min(*used, *total)};
}

std::optional<std::uint64_t> ReadProcessMemory(const Device& device, int pid,
                                               const Places& places) {
  if (device.vendor == Vendor::kNvidia) {
    return Nvml::Open(places.nvml)->ProcessMemory(device.uuid, pid);
  }
  // Vulkan allocates through DRM, ROCm through KFD; kernels differ in whether one shows the other.
  const auto by_drm = FromFdinfo(device, pid, places);
  const auto by_kfd = ReadUnsigned(KfdFile(device, pid, places));
  if (!by_drm && !by_kfd) return std::nullopt;
  return std::max(by_drm.value_or(0), by_kfd.value_or(0));
}

std::vector<int> ProcessesOn(const Device& device, const Places& places) {
  if (device.vendor == Vendor::kNvidia) return Nvml::Open(places.nvml)->Processes(device.uuid);
  std::vector<int> pids;
  for (const auto& [pid, folder] : Numbered(places.At("/sys/class/kfd/kfd/proc"), "")) {
    if (ReadUnsigned(KfdFile(device, pid, places)).value_or(0) > 0) pids.push_back(pid);
  }
  return pids;
}

}  // namespace rocm::gpu
