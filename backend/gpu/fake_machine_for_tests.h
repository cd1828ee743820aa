// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/gpu/places.h"

namespace rocm::gpu {

// For tests only: a tree like /sys, /dev and /proc of a machine with AMD GPUs, gone with this
// object. No NVIDIA, unless a test names a library.
class FakeMachine {
 public:
  FakeMachine();
  ~FakeMachine();
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;

  struct Gpu {
    std::uint64_t gfx_target_version = 110001;
    std::uint64_t unique_id = 0;  // 0: as processors' GPUs have it
    int bus = 3;
    int render_minor = 128;
    int card = 0;
    std::uint64_t vram_bytes = 0;
    std::uint64_t vram_used = 0;
    int simd_count = 120;
    std::uint64_t device_id = 0x747e;
    std::uint64_t revision = 0xc8;
    std::string_view vram_vendor = "samsung";  // empty: the file is missing
    std::string_view product_name = "";
    bool hidden = false;  // by a container's cgroup: no properties to read
  };
  // What the predecessor ran on.
  static Gpu Rx7800Xt();
  static Gpu RyzenGraphics();     // of the Ryzen 9 9950X
  static Gpu StrixHalo();         // an APU with a carve-out of 96 GiB
  static Gpu Mi300X(int number);  // of 8

  // Nodes of KFD's topology, in this order.
  void AddCpuNode();
  void AddGpu(const Gpu& gpu);
  // A card of AMD's without KFD.
  void AddCardOnly(const Gpu& gpu);

  void Write(std::string_view path, std::string_view content) const;
  [[nodiscard]] Places places() const { return {.root = root_, .nvml = ""}; }
  [[nodiscard]] std::string Path(std::string_view path) const { return root_ + std::string(path); }

 private:
  void AddDrm(const Gpu& gpu) const;
  std::string root_;
  int nodes_ = 0;
};

}  // namespace rocm::gpu
