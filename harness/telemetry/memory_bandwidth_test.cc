// SPDX-License-Identifier: EUPL-1.2
#include "harness/telemetry/memory_bandwidth.h"

#include <gtest/gtest.h>

#include "backend/base/clock.h"
#include "backend/gpu/fake_machine_for_tests.h"

namespace harness {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

double GbPerS(std::string_view name, std::uint64_t memory = 0) {
  const auto known = KnownBandwidth(name, memory);
  return known ? known->bytes_per_second / 1e9 : 0;
}

TEST(KnownBandwidth, ByTheNamesThatDriversAndLogsGive) {
  EXPECT_EQ(GbPerS("AMD Radeon RX 7800 XT"), 624);
  EXPECT_EQ(GbPerS("AMD Radeon RX 7800 XT (RADV NAVI32)"), 624);
  EXPECT_EQ(GbPerS("NVIDIA GeForce RTX 4090"), 1008);
  EXPECT_EQ(GbPerS("NVIDIA H200"), 4800);
  EXPECT_EQ(GbPerS("nvidia a100-sxm4-80gb"), 2039);
  EXPECT_EQ(GbPerS("AMD Instinct MI300X"), 5300);
  EXPECT_EQ(KnownBandwidth("AMD Radeon RX 7800 XT", 0)->source, "table: RX 7800 XT");
}

TEST(KnownBandwidth, WholeNamesOnly) {
  EXPECT_EQ(GbPerS("AMD Radeon RX 7900 XTX"), 960);
  EXPECT_EQ(GbPerS("AMD Radeon RX 7900 XT"), 800);
  EXPECT_EQ(GbPerS("NVIDIA GeForce RTX 4070 Ti SUPER"), 672);
  EXPECT_EQ(GbPerS("NVIDIA L40S"), 864);
  EXPECT_EQ(GbPerS("NVIDIA L4"), 300);
  EXPECT_EQ(GbPerS("AMD gfx1101"), 0);
  EXPECT_EQ(GbPerS("llvmpipe (LLVM 19.1.7, 256 bits)"), 0);
  EXPECT_EQ(GbPerS("NVIDIA GeForce RTX 4090 Laptop GPU"), 0);
  EXPECT_EQ(GbPerS(""), 0);
}

TEST(KnownBandwidth, MemoryTellsNamesakesApart) {
  EXPECT_EQ(GbPerS("NVIDIA GeForce RTX 3080", 10 * kGiB - 200 * kMiB), 760);
  EXPECT_EQ(GbPerS("NVIDIA GeForce RTX 3080", 12 * kGiB - 200 * kMiB), 912);
  EXPECT_EQ(GbPerS("NVIDIA GeForce RTX 3080"), 0);
}

TEST(LastLevelCache, CountsEachOnce) {
  const rocm::gpu::FakeMachine machine;
  const auto cache = [&](int cpu, int index, int level, const char* size, const char* shared) {
    const std::string at = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index" +
                           std::to_string(index);
    machine.Write(at + "/level", std::to_string(level) + "\n");
    machine.Write(at + "/size", std::string(size) + "\n");
    machine.Write(at + "/shared_cpu_list", std::string(shared) + "\n");
  };
  EXPECT_EQ(LastLevelCacheBytes(machine.places()), 0u);
  for (int cpu = 0; cpu < 4; ++cpu) {
    cache(cpu, 0, 1, "32K", "0");
    cache(cpu, 3, 3, "32768K", cpu < 2 ? "0-1" : "2-3");
  }
  EXPECT_EQ(LastLevelCacheBytes(machine.places()), 64 * kMiB);
}

TEST(HostBandwidth, IsMeasuredInBoundedTime) {
  ReadTest test;
  test.buffer_bytes = 32 * kMiB;
  test.threads = 2;
  test.time = std::chrono::milliseconds(30);
  const auto begin = rocm::Now();
  const auto measured = MeasureHostBandwidth(test);
  ASSERT_TRUE(measured) << measured.error().message;
  // Between a very slow board and any cache there is.
  EXPECT_GT(measured->bytes_per_second, 0.1e9);
  EXPECT_LT(measured->bytes_per_second, 1e13);
  EXPECT_EQ(measured->source.find("measured: 2 threads read 32 MiB, best of "), 0u);
  EXPECT_LT(rocm::Now() - begin, std::chrono::seconds(20));
}

TEST(HostBandwidth, RefusesWhereCachesWouldAnswer) {
  const rocm::gpu::FakeMachine machine;
  machine.Write("/proc/meminfo", "MemTotal: 900000 kB\nMemAvailable:   200000 kB\n");
  machine.Write("/sys/devices/system/cpu/cpu0/cache/index3/level", "3\n");
  machine.Write("/sys/devices/system/cpu/cpu0/cache/index3/size", "65536K\n");
  ReadTest test;
  test.places = machine.places();
  const auto measured = MeasureHostBandwidth(test);
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().code, rocm::ErrorCode::kInsufficientMemory);
  EXPECT_NE(measured.error().message.find("--bandwidth"), std::string::npos);
}

}  // namespace
}  // namespace harness
