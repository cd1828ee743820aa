// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/nvml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "backend/gpu/fake_machine_for_tests.h"

namespace rocm::gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NvmlTest : public ::testing::Test {
 protected:
  NvmlTest() { places_.nvml = BACKEND_GPU_FAKE_NVML; }
  ~NvmlTest() override { ::unsetenv("FAKE_NVML_FAIL"); }
  FakeMachine machine_;
  Places places_ = machine_.places();
};

TEST_F(NvmlTest, ListsItsGpusBehindThoseOfAmd) {
  machine_.AddGpu(FakeMachine::Rx7800Xt());
  const Inventory inventory = Probe(places_);
  ASSERT_EQ(inventory.devices.size(), 3u);
  EXPECT_TRUE(inventory.cuda.usable);
  const Device& gpu = inventory.devices[2];
  EXPECT_EQ(gpu.vendor, Vendor::kNvidia);
  EXPECT_EQ(gpu.kind, Kind::kDiscrete);
  EXPECT_EQ(gpu.name, "NVIDIA Fake 24GB");
  EXPECT_EQ(gpu.uuid, "GPU-bbbb");
  EXPECT_EQ(gpu.ordinal, 1);
  EXPECT_EQ(gpu.pci_address, "0000:41:00.0");
  EXPECT_EQ(gpu.memory_bytes, std::uint64_t{24576} << 20);
  EXPECT_EQ(ChooseDevice(inventory, Vendor::kNvidia)->uuid, "GPU-bbbb");
  EXPECT_EQ(ChooseDevice(inventory, Vendor::kNvidia, "0")->uuid, "GPU-aaaa");
  EXPECT_EQ(ChooseDevice(inventory, Vendor::kAmd)->gfx_target, "gfx1101");
}

TEST_F(NvmlTest, MemoryAndProcesses) {
  const Device gpu = ChooseDevice(Probe(places_), Vendor::kNvidia).value();
  const auto memory = ReadCardMemory(gpu, places_);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->free(), 0u) << "clamped";
  EXPECT_EQ(ReadProcessMemory(gpu, 1003, places_), 3u << 20);
  EXPECT_EQ(ReadProcessMemory(gpu, 1069, places_), std::nullopt) << "not available";
  EXPECT_EQ(ReadProcessMemory(gpu, 5, places_), std::nullopt) << "not there";
  EXPECT_EQ(ProcessesOn(gpu, places_).size(), 70u);
}

TEST_F(NvmlTest, SensorsThatAreMissingAreNotZero) {
  const Device gpu = ChooseDevice(Probe(places_), Vendor::kNvidia).value();
  const Sensors sensors = ReadSensors(gpu, places_);
  EXPECT_EQ(sensors.temperature_celsius, 55.0);
  EXPECT_EQ(sensors.power_watts, 312.5);
  EXPECT_EQ(sensors.power_cap_watts, std::nullopt) << "the driver has no such call";
  EXPECT_EQ(sensors.core_clock_mhz, 1980.0);
  EXPECT_EQ(sensors.memory_clock_mhz, 10501.0);
  EXPECT_EQ(sensors.busy_percent, 88.0);
  EXPECT_EQ(sensors.throttled, true);
  EXPECT_EQ(sensors.power_limited, true);
  const Device other = ChooseDevice(Probe(places_), Vendor::kNvidia, "0").value();
  EXPECT_EQ(ReadSensors(other, places_).throttled, false) << "idle is no throttling";
}

TEST_F(NvmlTest, AMissingLibraryADeafDriverAndAWrongLibrarySayWhatIsWrong) {
  const auto reason = [](const std::string& library) {
    const Inventory inventory = Probe({.root = "/nowhere", .nvml = library});
    EXPECT_FALSE(inventory.cuda.usable);
    return inventory.cuda.reasons.at(0);
  };
  EXPECT_THAT(reason("/nowhere/libnvidia-ml.so.1"), HasSubstr("no NVIDIA driver here"));
  EXPECT_THAT(reason("libm.so.6"), HasSubstr("too old a driver"));
  EXPECT_THAT(reason(""), HasSubstr("not asked for"));
  // Under another name: an instance that works is kept.
  const std::string copy = machine_.Path("/libnvidia-ml.so.1");
  std::filesystem::copy_file(BACKEND_GPU_FAKE_NVML, copy);
  ::setenv("FAKE_NVML_FAIL", "init", 1);
  EXPECT_EQ(reason(copy), "NVIDIA's driver does not answer: Driver Not Loaded");
  ::unsetenv("FAKE_NVML_FAIL");
  EXPECT_TRUE(Probe({.root = "/nowhere", .nvml = copy}).cuda.usable) << "it came up meanwhile";
}

}  // namespace
}  // namespace rocm::gpu
