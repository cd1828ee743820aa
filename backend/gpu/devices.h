// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "backend/gpu/places.h"

namespace rocm::gpu {

enum class Vendor { kAmd, kNvidia };
[[nodiscard]] std::string_view ToString(Vendor vendor);

// An integrated GPU's "VRAM" is a part of the machine's RAM, however large.
enum class Kind { kDiscrete, kIntegrated };
[[nodiscard]] std::string_view ToString(Kind kind);

struct Device {
  Vendor vendor = Vendor::kAmd;
  Kind kind = Kind::kDiscrete;
  std::string name;  // "AMD Radeon RX 7800 XT", or what is known: "AMD gfx1101"
  // As the runtime's mask takes it, "GPU-…"; empty where the device has none.
  std::string uuid;
  // The runtime's own number without any mask (ROCr's for AMD, NVML's for NVIDIA); -1 where the
  // runtime does not see the device.
  int ordinal = -1;
  std::string gfx_target;   // AMD: "gfx1101"
  std::string pci_address;  // "0000:03:00.0"
  std::uint64_t memory_bytes = 0;
  int compute_units = 0;         // AMD
  int render_minor = -1;         // /dev/dri/renderD<n>, AMD
  std::uint32_t kfd_gpu_id = 0;  // AMD
  std::string sysfs;             // the device's folder, AMD; below Places::root

  friend bool operator==(const Device&, const Device&) = default;
};

// Whether a runtime can be used by this process and, if not, why and what to do about it.
struct Access {
  bool usable = false;
  std::vector<std::string> reasons;  // empty when usable
};

struct Inventory {
  std::vector<Device> devices;  // AMD in ROCr's order, then NVIDIA in NVML's
  Access rocm;
  Access cuda;
};

// Reads /sys, /dev and NVML; starts no GPU runtime and touches no GPU state. Never fails: what
// cannot be read is not there, and the reasons say so.
[[nodiscard]] Inventory Probe(const Places& places = {});

// The device to use. `pin` is a uuid ("GPU-…"), an ordinal ("0"), or a name as llama-server lists
// it ("ROCm0", "CUDA0"). Empty: the discrete one with the most memory, the first of equals; an
// integrated one only where there is no other. Fails with kInvalidArgument for a pin that names no
// device, listing those there are, and with kBackendUnavailable where there is none at all.
[[nodiscard]] Result<Device> ChooseDevice(const Inventory& inventory, Vendor vendor,
                                          std::string_view pin = {});

// "GPU-5b0f… AMD Radeon RX 7800 XT (discrete, 16.0 GiB, 0000:03:00.0)"
[[nodiscard]] std::string Describe(const Device& device);

}  // namespace rocm::gpu
