// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "harness/telemetry/memory_bandwidth.h"

namespace harness {
namespace {

// A model by the words of its name, and GB/s (10^9 bytes) as its maker publishes them. Where one
// name was sold with several memories, `gib` is the size that the figure goes with.
struct Entry {
  std::string_view name;
  double gb_per_s = 0;
  int gib = 0;
};

// From the makers' product pages: bus width × data rate / 8.
constexpr auto kTable = std::to_array<Entry>({
    // AMD Radeon, RDNA 4
    {"RX 9070 XT", 640},
    {"RX 9070 GRE", 432},
    {"RX 9070", 640},
    {"RX 9060 XT", 320},
    {"R9700", 640},
    {"AI PRO R9700", 640},
    // RDNA 3
    {"RX 7900 XTX", 960},
    {"RX 7900 XT", 800},
    {"RX 7900 GRE", 576},
    {"RX 7800 XT", 624},
    {"RX 7700 XT", 432},
    {"RX 7600 XT", 288},
    {"RX 7600", 288},
    {"PRO W7900", 864},
    {"PRO W7800", 576, 32},
    {"PRO W7800", 864, 48},
    {"PRO W7700", 576},
    {"PRO W7600", 288},
    {"PRO W7500", 172},
    // RDNA 2
    {"RX 6950 XT", 576},
    {"RX 6900 XT", 512},
    {"RX 6800 XT", 512},
    {"RX 6800", 512},
    {"RX 6750 XT", 432},
    {"RX 6700 XT", 384},
    {"RX 6700", 320},
    {"RX 6650 XT", 280},
    {"RX 6600 XT", 256},
    {"RX 6600", 224},
    {"PRO W6800", 512},
    // RDNA, Vega, Polaris
    {"RX 5700 XT", 448},
    {"RX 5700", 448},
    {"Radeon VII", 1024},
    {"RX Vega 64", 484},
    {"RX Vega 56", 410},
    {"RX 580", 256},
    // AMD Instinct
    {"MI355X", 8000},
    {"MI350X", 8000},
    {"MI325X", 6000},
    {"MI300X", 5300},
    {"MI300A", 5300},
    {"MI250X", 1638},  // each of the two dies, which the driver shows as devices of their own
    {"MI250", 1638},
    {"MI210", 1638},
    {"MI100", 1229},
    {"MI60", 1024},
    {"MI50", 1024},
    // AMD APUs on soldered LPDDR5X: the machine's memory is the GPU's
    {"8060S", 256},
    {"8050S", 256},
    // NVIDIA GeForce
    {"RTX 5090", 1792},
    {"RTX 5080", 960},
    {"RTX 5070 Ti", 896},
    {"RTX 5070", 672},
    {"RTX 5060 Ti", 448},
    {"RTX 5060", 448},
    {"RTX 4090", 1008},
    {"RTX 4080 SUPER", 736},
    {"RTX 4080", 717},
    {"RTX 4070 Ti SUPER", 672},
    {"RTX 4070 Ti", 504},
    {"RTX 4070 SUPER", 504},
    {"RTX 4070", 504},
    {"RTX 4060 Ti", 288},
    {"RTX 4060", 272},
    {"RTX 3090 Ti", 1008},
    {"RTX 3090", 936},
    {"RTX 3080 Ti", 912},
    {"RTX 3080", 760, 10},
    {"RTX 3080", 912, 12},
    {"RTX 3070 Ti", 608},
    {"RTX 3070", 448},
    {"RTX 3060 Ti", 448},
    {"RTX 3060", 360, 12},
    {"RTX 3060", 240, 8},
    {"RTX 2080 Ti", 616},
    {"RTX 2080 SUPER", 496},
    {"RTX 2080", 448},
    {"RTX 2070", 448},
    {"RTX 2060", 336},
    {"GTX 1080 Ti", 484},
    {"GTX 1080", 320},
    // NVIDIA professional and data centre
    {"RTX PRO 6000 Blackwell", 1792},
    {"RTX 6000 Ada", 960},
    {"RTX 5000 Ada", 576},
    {"RTX 4500 Ada", 432},
    {"RTX 4000 Ada", 360},
    {"RTX A6000", 768},
    {"RTX A5000", 768},
    {"RTX A4000", 448},
    {"GH200 480GB", 4000},
    {"B200", 8000},
    {"H200 NVL", 4800},
    {"H200", 4800},
    {"H100 NVL", 3938},
    {"H100 PCIe", 2039},
    {"H100 80GB HBM3", 3352},
    {"H100 SXM5", 3352},
    {"A100-SXM4-80GB", 2039},
    {"A100 80GB PCIe", 1935},
    {"A100-PCIE-80GB", 1935},
    {"A100-SXM4-40GB", 1555},
    {"A100-PCIE-40GB", 1555},
    {"A40", 696},
    {"A30", 933},
    {"A10G", 600},
    {"A10", 600},
    {"A16", 200},
    {"A2", 200},
    {"L40S", 864},
    {"L40", 864},
    {"L4", 300},
    {"V100", 900},
    {"T4", 320},
    {"P40", 347},
    {"P100-PCIE-16GB", 732},
});

bool IsWordPart(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool SameLetters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

// As whole words: "RX 7900 XT" is not in "RX 7900 XTX".
bool Names(std::string_view text, std::string_view words) {
  for (std::size_t at = 0; at + words.size() <= text.size(); ++at) {
    if (!SameLetters(text.substr(at, words.size()), words)) continue;
    const std::size_t end = at + words.size();
    const bool begins = at == 0 || !IsWordPart(text[at - 1]);
    if (begins && (end == text.size() || !IsWordPart(text[end]))) return true;
  }
  return false;
}

// Cards say a little less than they have.
bool HasMemory(const Entry& entry, std::uint64_t bytes) {
  const double gib = static_cast<double>(bytes) / (1ULL << 30);
  return entry.gib == 0 || (gib > 0.85 * entry.gib && gib < 1.1 * entry.gib);
}

}  // namespace

std::optional<MemoryBandwidth> KnownBandwidth(std::string_view name, std::uint64_t memory_bytes) {
  // A laptop's card has its desktop namesake's name and another memory.
  if (Names(name, "Laptop GPU") || Names(name, "Mobile") || Names(name, "Max-Q")) {
    return std::nullopt;
  }
  const Entry* best = nullptr;
  for (const Entry& entry : kTable) {
    if (best != nullptr && entry.name.size() <= best->name.size()) continue;
    if (Names(name, entry.name) && HasMemory(entry, memory_bytes)) best = &entry;
  }
  // "RTX 4070 Ti SUPER" with nothing but "RTX 4070" in the table would be another card: a longer
  // name that is known, but not with this much memory, leaves it open.
  for (const Entry& entry : kTable) {
    if (best != nullptr && entry.name.size() > best->name.size() && Names(name, entry.name)) {
      return std::nullopt;
    }
  }
  if (best == nullptr) return std::nullopt;
  return MemoryBandwidth{best->gb_per_s * 1e9, fmt::format("table: {}", best->name)};
}

}  // namespace harness
