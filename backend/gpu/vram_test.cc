// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/vram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "backend/gpu/fake_machine_for_tests.h"
#include "backend/gpu/sensors.h"
#include "backend/gpu/sysfs.h"

namespace rocm::gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::uint64_t kMiB = 1u << 20;

class VramTest : public ::testing::Test {
 protected:
  VramTest() {
    machine_.AddCpuNode();
    machine_.AddGpu(FakeMachine::Rx7800Xt());
    device_ = Probe(machine_.places()).devices.at(0);
  }
  void Fdinfo(int pid, int fd, std::string_view text) {
    machine_.Write("/proc/" + std::to_string(pid) + "/fdinfo/" + std::to_string(fd), text);
  }
  std::optional<std::uint64_t> Process(int pid) {
    return ReadProcessMemory(device_, pid, machine_.places());
  }
  FakeMachine machine_;
  Device device_;
};

TEST_F(VramTest, OfTheCard) {
  const auto memory = ReadCardMemory(device_, machine_.places());
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->total, 16384 * kMiB);
  EXPECT_EQ(memory->used, 700 * kMiB);
  EXPECT_EQ(memory->free(), 15684 * kMiB);
}

TEST_F(VramTest, MoreUsedThanThereIsLeavesNothingFree) {
  machine_.Write("/sys/devices/pci0000:00/0000:03:00.0/mem_info_vram_used", "99999999999999");
  const auto memory = ReadCardMemory(device_, machine_.places());
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->free(), 0u);
}

TEST_F(VramTest, ADriverThatDoesNotSayIsNotZero) {
  machine_.Write("/sys/devices/pci0000:00/0000:03:00.0/mem_info_vram_used", "nonsense");
  EXPECT_EQ(ReadCardMemory(device_, machine_.places()), std::nullopt);
  EXPECT_EQ(ReadCardMemory(Device{}, machine_.places()), std::nullopt);
}

TEST_F(VramTest, OfAProcessByFdinfo) {
  Fdinfo(77, 0, "pos:\t0\nflags:\t02\n");
  Fdinfo(77, 5,
         "pos:\t0\ndrm-driver:\tamdgpu\ndrm-client-id:\t12\ndrm-pdev:\t0000:03:00.0\n"
         "drm-memory-vram:\t2048 KiB\n");
  EXPECT_EQ(Process(77), 2 * kMiB);
  // A duplicate of the descriptor is the same client; another client counts too.
  Fdinfo(77, 6, "drm-client-id:\t12\ndrm-pdev:\t0000:03:00.0\ndrm-memory-vram:\t2048 KiB\n");
  EXPECT_EQ(Process(77), 2 * kMiB);
  Fdinfo(77, 7, "drm-client-id:\t13\ndrm-pdev:\t0000:03:00.0\ndrm-memory-vram:\t1 MiB\n");
  EXPECT_EQ(Process(77), 3 * kMiB);
  // Another card's is not ours.
  Fdinfo(77, 8, "drm-client-id:\t14\ndrm-pdev:\t0000:0e:00.0\ndrm-memory-vram:\t9 MiB\n");
  EXPECT_EQ(Process(77), 3 * kMiB);
}

TEST_F(VramTest, NewerKernelsSayWhatIsResident) {
  Fdinfo(78, 5,
         "drm-client-id:\t12\ndrm-pdev:\t0000:03:00.0\ndrm-memory-vram:\t900 KiB\n"
         "drm-total-vram:\t4 MiB\ndrm-resident-vram:\t3 MiB\n");
  EXPECT_EQ(Process(78), 3 * kMiB);
}

TEST_F(VramTest, OfAProcessByKfdWhereThatIsMore) {
  EXPECT_EQ(Process(79), std::nullopt) << "no such process";
  machine_.Write("/sys/class/kfd/kfd/proc/79/vram_41001", "3400000000\n");
  EXPECT_EQ(Process(79), 3400000000u);
  Fdinfo(79, 5, "drm-client-id:\t1\ndrm-pdev:\t0000:03:00.0\ndrm-memory-vram:\t64 KiB\n");
  EXPECT_EQ(Process(79), 3400000000u);
  machine_.Write("/sys/class/kfd/kfd/proc/80/vram_49999", "5\n");
  EXPECT_EQ(Process(80), std::nullopt) << "on another GPU";
}

TEST_F(VramTest, HostileFdinfoIsNoNumber) {
  Fdinfo(
      81, 5,
      "drm-client-id:\tx\ndrm-pdev:\t0000:03:00.0\ndrm-memory-vram:\t99999999999999999999 KiB\n");
  Fdinfo(81, 6, "drm-pdev:\t0000:03:00.0\ndrm-memory-vram:\t18446744073709551615 MiB\n");
  Fdinfo(81, 7, "drm-pdev: 0000:03:00.0\nno colon here\n:\ndrm-memory-vram:\t-5 KiB\n");
  EXPECT_EQ(Process(81), std::nullopt);
}

TEST_F(VramTest, ProcessesThatHoldSomething) {
  EXPECT_THAT(ProcessesOn(device_, machine_.places()), IsEmpty());
  machine_.Write("/sys/class/kfd/kfd/proc/300/vram_41001", "4096\n");
  machine_.Write("/sys/class/kfd/kfd/proc/40/vram_41001", "8192\n");
  machine_.Write("/sys/class/kfd/kfd/proc/41/vram_41001", "0\n");
  EXPECT_THAT(ProcessesOn(device_, machine_.places()), ElementsAre(40, 300));
}

TEST_F(VramTest, SensorsByTheirLabels) {
  EXPECT_EQ(ReadSensors(device_, machine_.places()), Sensors{});
  const std::string folder = "/sys/devices/pci0000:00/0000:03:00.0/";
  const std::string hwmon = folder + "hwmon/hwmon4/";
  machine_.Write(folder + "gpu_busy_percent", "97\n");
  machine_.Write(hwmon + "temp1_label", "edge\n");
  machine_.Write(hwmon + "temp1_input", "61000\n");
  machine_.Write(hwmon + "temp2_label", "junction\n");
  machine_.Write(hwmon + "temp2_input", "78500\n");
  machine_.Write(hwmon + "temp3_label", "mem\n");
  machine_.Write(hwmon + "temp3_input", "84000\n");
  machine_.Write(hwmon + "freq1_label", "sclk\n");
  machine_.Write(hwmon + "freq1_input", "2430000000\n");
  machine_.Write(hwmon + "freq2_label", "mclk\n");
  machine_.Write(hwmon + "freq2_input", "1219000000\n");
  machine_.Write(hwmon + "power1_average", "212000000\n");
  machine_.Write(hwmon + "power1_cap", "263000000\n");
  const Sensors sensors = ReadSensors(device_, machine_.places());
  EXPECT_EQ(sensors.busy_percent, 97.0);
  EXPECT_EQ(sensors.temperature_celsius, 61.0);
  EXPECT_EQ(sensors.hotspot_celsius, 78.5);
  EXPECT_EQ(sensors.memory_celsius, 84.0);
  EXPECT_NEAR(sensors.core_clock_mhz.value(), 2430, 1e-6);
  EXPECT_NEAR(sensors.memory_clock_mhz.value(), 1219, 1e-6);
  EXPECT_NEAR(sensors.power_watts.value(), 212, 1e-6);
  EXPECT_NEAR(sensors.power_cap_watts.value(), 263, 1e-6);
  EXPECT_EQ(sensors.throttled, std::nullopt);
  std::filesystem::remove(machine_.Path(hwmon + "power1_average"));
  machine_.Write(hwmon + "power1_input", "190000000\n");
  EXPECT_NEAR(ReadSensors(device_, machine_.places()).power_watts.value(), 190, 1e-6);
}

TEST_F(VramTest, HeatThrottlesAndAPowerCapLimits) {
  const std::string path = "/sys/devices/pci0000:00/0000:03:00.0/gpu_metrics";
  const auto with = [&](char content_revision, std::uint64_t status) {
    std::string metrics(120, '\0');
    metrics[0] = 120;
    metrics[2] = 1;
    metrics[3] = content_revision;
    std::memcpy(metrics.data() + 112, &status, sizeof status);
    machine_.Write(path, metrics);
    return ReadSensors(device_, machine_.places());
  };
  EXPECT_EQ(with(3, 0).throttled, false);
  EXPECT_EQ(with(3, 0).power_limited, false);
  const Sensors hot = with(3, std::uint64_t{1} << 36);  // the hotspot
  EXPECT_EQ(hot.throttled, true);
  EXPECT_EQ(hot.power_limited, false);
  const Sensors capped = with(3, 1);  // PPT0
  EXPECT_EQ(capped.throttled, false);
  EXPECT_EQ(capped.power_limited, true);
  EXPECT_EQ(with(3, ~std::uint64_t{0}).throttled, std::nullopt) << "not known";
  EXPECT_EQ(with(4, std::uint64_t{1} << 36).throttled, std::nullopt) << "laid out otherwise";
  machine_.Write(path, "short");
  EXPECT_EQ(ReadSensors(device_, machine_.places()).throttled, std::nullopt);
}

TEST(SysfsTest, NumbersAndProperties) {
  EXPECT_EQ(ParseUnsigned("0x1002"), 0x1002u);
  EXPECT_EQ(ParseUnsigned("18446744073709551615"), ~std::uint64_t{0});
  for (const char* text : {"", "-1", "1 ", "0x", "18446744073709551616", "one"}) {
    EXPECT_EQ(ParseUnsigned(text), std::nullopt) << text;
  }
  FakeMachine machine;
  machine.Write("/p", "a 1\nb 2 3\n\nc\n d 4\ne 18446744073709551615");
  EXPECT_THAT(ReadProperties(machine.Path("/p")),
              ElementsAre(Pair("a", 1), Pair("e", ~std::uint64_t{0})));
  EXPECT_THAT(ReadProperties(machine.Path("/none")), IsEmpty());
  EXPECT_EQ(ReadText(machine.Path("")), std::nullopt) << "a folder";
  machine.Write("/n/card10", "");
  machine.Write("/n/card9", "");
  machine.Write("/n/card9-HDMI-A-1", "");
  EXPECT_THAT(Numbered(machine.Path("/n"), "card"),
              ElementsAre(Pair(9, machine.Path("/n/card9")), Pair(10, machine.Path("/n/card10"))));
}

}  // namespace
}  // namespace rocm::gpu
