// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

#include "backend/gpu/amd.h"
#include "backend/gpu/nvml.h"
#include "backend/gpu/sysfs.h"

namespace rocm::gpu {
namespace {

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// "0", "ROCm0" and "CUDA0" are number 0.
std::optional<std::uint64_t> OrdinalOf(std::string_view pin, Vendor vendor) {
  const std::string lower = LowerCase(pin);
  const std::string_view prefix = vendor == Vendor::kAmd ? "rocm" : "cuda";
  std::string_view digits = lower;
  if (digits.starts_with(prefix)) digits.remove_prefix(prefix.size());
  return digits.starts_with("0x") ? std::nullopt : ParseUnsigned(digits);
}

bool Better(const Device& a, const Device& b) {
  if (a.kind != b.kind) return a.kind == Kind::kDiscrete;
  if (a.memory_bytes != b.memory_bytes) return a.memory_bytes > b.memory_bytes;
  return a.ordinal < b.ordinal;
}

}  // namespace

std::string_view ToString(Vendor vendor) { return vendor == Vendor::kAmd ? "AMD" : "NVIDIA"; }

std::string_view ToString(Kind kind) { return kind == Kind::kDiscrete ? "discrete" : "integrated"; }

Inventory Probe(const Places& places) {
  Inventory inventory;
  inventory.devices = AmdDevices(places);
  inventory.rocm = RocmAccess(places, inventory.devices);

  const std::shared_ptr<const Nvml> nvml = Nvml::Open(places.nvml);
  std::vector<Device> nvidia = nvml->Devices();
  if (!nvml->problem().empty()) {
    inventory.cuda.reasons.push_back(nvml->problem());
  } else if (nvidia.empty()) {
    inventory.cuda.reasons.emplace_back("NVIDIA's driver answers, but shows no GPU");
  }
  inventory.cuda.usable = inventory.cuda.reasons.empty();
  std::move(nvidia.begin(), nvidia.end(), std::back_inserter(inventory.devices));
  return inventory;
}

Result<Device> ChooseDevice(const Inventory& inventory, Vendor vendor, std::string_view pin) {
  std::vector<Device> usable;
  for (const Device& device : inventory.devices) {
    if (device.vendor == vendor && device.ordinal >= 0) usable.push_back(device);
  }
  if (usable.empty()) {
    const Access& access = vendor == Vendor::kAmd ? inventory.rocm : inventory.cuda;
    return Fail(ErrorCode::kBackendUnavailable,
                fmt::format("no {} GPU can be used{}{}", ToString(vendor),
                            access.reasons.empty() ? "" : ": ", fmt::join(access.reasons, "; ")));
  }
  if (pin.empty()) return *std::min_element(usable.begin(), usable.end(), Better);

  const std::optional<std::uint64_t> ordinal = OrdinalOf(pin, vendor);
  const bool unclear =
      vendor == Vendor::kNvidia && usable.size() > 1 && LowerCase(pin).starts_with("cuda");
  std::string all;
  for (const Device& device : usable) {
    const bool by_uuid = !device.uuid.empty() && LowerCase(device.uuid) == LowerCase(pin);
    if (by_uuid ||
        (ordinal && !unclear && static_cast<std::uint64_t>(device.ordinal) == *ordinal)) {
      return device;
    }
    all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", device.ordinal, Describe(device));
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} '{}'; there are {}",
                          unclear ? "CUDA counts the fastest card first and this list by bus, so "
                                    "give a number of it or a uuid, not"
                                  : "no device",
                          pin.substr(0, 80), all));
}

std::string Describe(const Device& device) {
  return fmt::format("{}{}{} ({}, {:.1f} GiB, {})", device.uuid, device.uuid.empty() ? "" : " ",
                     device.name, ToString(device.kind),
                     static_cast<double>(device.memory_bytes) / (1u << 30), device.pci_address);
}

}  // namespace rocm::gpu
