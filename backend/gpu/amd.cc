// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/amd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "backend/gpu/sysfs.h"

namespace rocm::gpu {
namespace {

constexpr std::uint64_t kAmdVendor = 0x1002;

// GPUs that live in a processor. ROCm has no file that says so, and their carve-out can be larger
// than any card.
constexpr std::array<std::string_view, 14> kIntegratedTargets = {
    "gfx801",  "gfx902",  "gfx909",  "gfx90c",  "gfx1013", "gfx1033", "gfx1035",
    "gfx1036", "gfx1037", "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"};

struct Card {
  std::string sysfs;
  std::string pci_address;
  std::uint64_t device_id = 0;
  std::uint64_t revision = 0;
  std::uint64_t memory_bytes = 0;
};

std::uint64_t Of(const std::map<std::string, std::uint64_t>& properties, const std::string& key) {
  const auto at = properties.find(key);
  return at == properties.end() ? 0 : at->second;
}

// 110001 is gfx1101: two decimal digits each for minor and stepping, written in hexadecimal.
std::string GfxTarget(std::uint64_t version) {
  if (version == 0) return "";
  return fmt::format("gfx{}{:x}{:x}", version / 10000, version / 100 % 100, version % 100);
}

std::string PciAddress(const std::map<std::string, std::uint64_t>& properties) {
  const std::uint64_t location = Of(properties, "location_id");
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", Of(properties, "domain"), location >> 8 & 0xff,
                     location >> 3 & 0x1f, location & 7);
}

// DRM's cards of AMD, by PCI address.
std::map<std::string, Card> Cards(const Places& places) {
  std::map<std::string, Card> cards;
  for (const auto& [number, path] : Numbered(places.At("/sys/class/drm"), "card")) {
    const std::string device = path + "/device";
    if (ReadUnsigned(device + "/vendor") != kAmdVendor) continue;
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(device, error);
    if (error) continue;
    Card card;
    card.sysfs = real.string();
    card.pci_address = real.filename().string();
    card.device_id = ReadUnsigned(device + "/device").value_or(0);
    card.revision = ReadUnsigned(device + "/revision").value_or(0);
    card.memory_bytes = ReadUnsigned(device + "/mem_info_vram_total").value_or(0);
    cards.emplace(card.pci_address, card);
  }
  return cards;
}

// libdrm's table: "747E,\tC8,\tAMD Radeon RX 7800 XT".
std::string MarketingName(const Places& places, const Card& card) {
  if (const auto name = ReadText(card.sysfs + "/product_name"); name && !name->empty()) {
    return *name;
  }
  const std::string start = fmt::format("{:04X},\t{:02X},\t", card.device_id, card.revision);
  for (const char* path : {"/usr/share/libdrm/amdgpu.ids", "/opt/amdgpu/share/libdrm/amdgpu.ids"}) {
    const std::string table = "\n" + ReadText(places.At(path)).value_or("") + "\n";
    const std::size_t at = table.find("\n" + start);
    if (at == std::string::npos) continue;
    const std::size_t from = at + 1 + start.size();
    return table.substr(from, table.find('\n', from) - from);
  }
  return "";
}

// New targets are not in the table: then a card's memory has a maker and its chip a number.
Kind KindOf(const std::string& gfx_target, std::uint64_t unique_id, const std::string& sysfs) {
  if (std::find(kIntegratedTargets.begin(), kIntegratedTargets.end(), gfx_target) !=
      kIntegratedTargets.end()) {
    return Kind::kIntegrated;
  }
  if (unique_id != 0) return Kind::kDiscrete;
  const std::string maker = ReadText(sysfs + "/mem_info_vram_vendor").value_or("");
  return maker.empty() || maker == "unknown" ? Kind::kIntegrated : Kind::kDiscrete;
}

std::uint64_t MemoryOfBanks(const std::string& node) {
  constexpr std::uint64_t kPublic = 1;
  constexpr std::uint64_t kPrivate = 2;
  std::uint64_t bytes = 0;
  for (const auto& [number, bank] : Numbered(node + "/mem_banks", "")) {
    const auto properties = ReadProperties(bank + "/properties");
    const std::uint64_t heap = Of(properties, "heap_type");
    if (heap == kPublic || heap == kPrivate) bytes += Of(properties, "size_in_bytes");
  }
  return bytes;
}

void AddCard(const Places& places, const Card& card, Device& device) {
  device.sysfs = card.sysfs;
  if (card.memory_bytes > 0) device.memory_bytes = card.memory_bytes;
  const std::string name = MarketingName(places, card);
  if (!name.empty()) device.name = name;
}

// Nodes that this process may not see (a container's cgroup) have no readable properties.
std::optional<Device> DeviceOfNode(const std::string& node) {
  const auto properties = ReadProperties(node + "/properties");
  if (Of(properties, "simd_count") == 0) return std::nullopt;  // a CPU, or hidden
  Device device;
  device.gfx_target = GfxTarget(Of(properties, "gfx_target_version"));
  device.name = "AMD " + device.gfx_target;
  device.pci_address = PciAddress(properties);
  device.render_minor = static_cast<int>(Of(properties, "drm_render_minor"));
  device.kfd_gpu_id = static_cast<std::uint32_t>(ReadUnsigned(node + "/gpu_id").value_or(0));
  device.memory_bytes = MemoryOfBanks(node);
  const std::uint64_t simds_per_unit = std::max<std::uint64_t>(1, Of(properties, "simd_per_cu"));
  device.compute_units = static_cast<int>(Of(properties, "simd_count") / simds_per_unit);
  const std::uint64_t unique_id = Of(properties, "unique_id");
  if (unique_id != 0) device.uuid = fmt::format("GPU-{:016x}", unique_id);
  return device;
}

// The way to be let in: the group that owns the node.
std::string HowToBeLetIn(const std::string& shown, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return shown + " cannot be looked at";
  std::array<char, 4096> buffer{};
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrgid_r(status.st_gid, &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return fmt::format(
        "{} may not be opened: it belongs to group {}, which has no name here (in a "
        "container: --group-add {})",
        shown, status.st_gid, status.st_gid);
  }
  if ((status.st_mode & S_IRGRP) == 0 || (status.st_mode & S_IWGRP) == 0) {
    return fmt::format("{} may not be opened by anyone but its owner (mode {:03o})", shown,
                       status.st_mode & 0777U);
  }
  return fmt::format(
      "{} may not be opened: this user is not in the group '{}' (sudo usermod -aG {} "
      "\"$USER\", then log in anew)",
      shown, found->gr_name, found->gr_name);
}

// Looks without opening: opening a GPU's node has effects.
std::optional<std::string> WhyNotUsable(const Places& places, const std::string& node) {
  const std::string path = places.At(node);
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0) return std::nullopt;
  if (errno == EACCES || errno == EPERM) return HowToBeLetIn(node, path);
  return fmt::format("{}: {}", node, std::strerror(errno));
}

}  // namespace

std::vector<Device> AmdDevices(const Places& places) {
  std::vector<Device> devices;
  std::map<std::string, Card> cards = Cards(places);
  for (const auto& [number, node] : Numbered(places.At("/sys/class/kfd/kfd/topology/nodes"), "")) {
    std::optional<Device> device = DeviceOfNode(node);
    if (!device) continue;
    device->ordinal = static_cast<int>(devices.size());
    if (const auto card = cards.find(device->pci_address); card != cards.end()) {
      AddCard(places, card->second, *device);
      cards.erase(card);
    }
    const std::uint64_t chip = device->uuid.empty() ? 0 : 1;
    device->kind = KindOf(device->gfx_target, chip, device->sysfs);
    devices.push_back(*std::move(device));
  }
  // Without KFD, Vulkan can still use them.
  for (const auto& [address, card] : cards) {
    Device device;
    device.name = "AMD GPU";
    device.pci_address = address;
    AddCard(places, card, device);
    device.kind = KindOf("", ReadText(card.sysfs + "/unique_id") ? 1 : 0, card.sysfs);
    devices.push_back(std::move(device));
  }
  return devices;
}

Access RocmAccess(const Places& places, const std::vector<Device>& devices) {
  Access access;
  const std::string kfd = "/dev/kfd";
  struct stat status {};
  if (::stat(places.At(kfd).c_str(), &status) != 0) {
    access.reasons.push_back(
        "there is no /dev/kfd: the kernel's amdgpu driver is not loaded, or this is a container "
        "without --device=/dev/kfd --device=/dev/dri");
    return access;
  }
  if (auto why = WhyNotUsable(places, kfd)) access.reasons.push_back(*std::move(why));
  bool any = false;
  bool any_open = false;
  std::vector<std::string> closed;
  for (const Device& device : devices) {
    if (device.ordinal < 0) continue;
    any = true;
    auto why = WhyNotUsable(places, fmt::format("/dev/dri/renderD{}", device.render_minor));
    if (!why) any_open = true;
    if (why) closed.push_back(*std::move(why));
  }
  if (!any) access.reasons.push_back("there is /dev/kfd, but no GPU in KFD's topology");
  // One GPU that may be used is enough.
  if (!any_open) access.reasons.insert(access.reasons.end(), closed.begin(), closed.end());
  access.usable = access.reasons.empty();
  return access;
}

}  // namespace rocm::gpu
