// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/fake_machine_for_tests.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace rocm::gpu {
namespace {

constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;

std::string PciFolder(const FakeMachine::Gpu& gpu) {
  return fmt::format("/sys/devices/pci0000:00/0000:{:02x}:00.0", gpu.bus);
}

}  // namespace

FakeMachine::FakeMachine()
    : root_((std::filesystem::temp_directory_path() / "gpu-XXXXXX").string()) {
  if (::mkdtemp(root_.data()) == nullptr) std::abort();
  ::chmod(root_.c_str(), 0755);  // tests look at it as another user
}

FakeMachine::~FakeMachine() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

FakeMachine::Gpu FakeMachine::Rx7800Xt() {
  Gpu gpu;
  gpu.unique_id = 0x5b0f3a91c27d4e68;
  gpu.vram_bytes = 16 * kGibibyte;
  gpu.vram_used = 700u << 20;
  return gpu;
}

FakeMachine::Gpu FakeMachine::RyzenGraphics() {
  Gpu gpu;
  gpu.gfx_target_version = 100306;
  gpu.bus = 0x0e;
  gpu.render_minor = 129;
  gpu.card = 1;
  gpu.vram_bytes = kGibibyte / 2;
  gpu.simd_count = 4;
  gpu.device_id = 0x13c0;
  gpu.revision = 0xc1;
  gpu.vram_vendor = "unknown";
  return gpu;
}

FakeMachine::Gpu FakeMachine::StrixHalo() {
  Gpu gpu = RyzenGraphics();
  gpu.gfx_target_version = 110501;
  gpu.bus = 0xc4;
  gpu.vram_bytes = 96 * kGibibyte;
  gpu.simd_count = 80;
  gpu.device_id = 0x1586;
  return gpu;
}

FakeMachine::Gpu FakeMachine::Mi300X(int number) {
  Gpu gpu;
  gpu.gfx_target_version = 90402;
  gpu.unique_id = 0x8ac1e95b00000001 + static_cast<std::uint64_t>(number);
  gpu.bus = 0x0c + 0x10 * number;
  gpu.render_minor = 128 + 8 * number;
  gpu.card = 1 + 8 * number;
  gpu.vram_bytes = 192 * kGibibyte;
  gpu.simd_count = 1216;
  gpu.device_id = 0x74a1;
  gpu.revision = 0;
  gpu.vram_vendor = "hynix";
  gpu.product_name = "AMD Instinct MI300X OAM";
  return gpu;
}

void FakeMachine::Write(std::string_view path, std::string_view content) const {
  const std::filesystem::path file = Path(path);
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << content;
}

void FakeMachine::AddCpuNode() {
  const std::string node = fmt::format("/sys/class/kfd/kfd/topology/nodes/{}", nodes_++);
  Write(node + "/gpu_id", "0\n");
  Write(node + "/properties",
        "cpu_cores_count 32\nsimd_count 0\nmem_banks_count 1\ngfx_target_version 0\n"
        "vendor_id 0\ndevice_id 0\nlocation_id 0\ndomain 0\ndrm_render_minor 0\n");
  Write(node + "/mem_banks/0/properties", "heap_type 0\nsize_in_bytes 101000000000\n");
}

void FakeMachine::AddGpu(const Gpu& gpu) {
  Write("/dev/kfd", "");
  const int number = nodes_++;
  const std::string node = fmt::format("/sys/class/kfd/kfd/topology/nodes/{}", number);
  Write(node + "/gpu_id", fmt::format("{}\n", 41000 + number));
  if (gpu.hidden) {
    Write(node + "/properties", "");
    return;
  }
  std::string properties = fmt::format(
      "cpu_cores_count 0\nsimd_count {}\nmem_banks_count 1\nsimd_per_cu {}\n"
      "gfx_target_version {}\nvendor_id 4098\ndevice_id {}\nlocation_id {}\ndomain 0\n"
      "drm_render_minor {}\n",
      gpu.simd_count, gpu.gfx_target_version / 10000 == 9 ? 4 : 2, gpu.gfx_target_version,
      gpu.device_id, gpu.bus << 8, gpu.render_minor);
  properties += fmt::format("unique_id {}\nlocal_mem_size 0\n", gpu.unique_id);
  Write(node + "/properties", properties);
  Write(node + "/mem_banks/0/properties",
        fmt::format("heap_type 1\nsize_in_bytes {}\nflags 0\nwidth 256\nmem_clk_max 1219\n",
                    gpu.vram_bytes));
  AddDrm(gpu);
}

void FakeMachine::AddCardOnly(const Gpu& gpu) { AddDrm(gpu); }

void FakeMachine::AddDrm(const Gpu& gpu) const {
  Write(fmt::format("/dev/dri/renderD{}", gpu.render_minor), "");
  const std::string pci = PciFolder(gpu);
  Write(pci + "/vendor", "0x1002\n");
  Write(pci + "/device", fmt::format("{:#06x}\n", gpu.device_id));
  Write(pci + "/revision", fmt::format("{:#04x}\n", gpu.revision));
  Write(pci + "/mem_info_vram_total", fmt::format("{}\n", gpu.vram_bytes));
  Write(pci + "/mem_info_vram_used", fmt::format("{}\n", gpu.vram_used));
  if (!gpu.vram_vendor.empty()) Write(pci + "/mem_info_vram_vendor", gpu.vram_vendor);
  if (!gpu.product_name.empty()) Write(pci + "/product_name", gpu.product_name);
  const std::string card = fmt::format("/sys/class/drm/card{}", gpu.card);
  std::filesystem::create_directories(Path(card));
  std::filesystem::create_symlink(Path(pci), Path(card + "/device"));
  // Connectors stand beside the cards.
  std::filesystem::create_directories(Path(card + "-HDMI-A-1"));
}

}  // namespace rocm::gpu
