// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/gpu_facts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "harness/base/unique_id.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

class GpuFactsTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  const std::string root_ = (fs::path(testing::TempDir()) / ("gpu-" + UniqueId())).string();
};

TEST_F(GpuFactsTest, AnAmdCard) {
  Write("/sys/module/amdgpu/version", "6.14.5\n");
  Write("/opt/rocm/.info/version", "7.2.0-43\n");
  Write("/sys/card/power_dpm_force_performance_level", "auto\n");
  rocm::gpu::Device device;
  device.name = "AMD Radeon RX 7800 XT";
  device.uuid = "GPU-1";
  device.sysfs = root_ + "/sys/card";
  const GpuFacts facts = FactsOf(device, root_);
  EXPECT_EQ(facts.model, "AMD Radeon RX 7800 XT");
  EXPECT_EQ(facts.uuid, "GPU-1");
  EXPECT_EQ(facts.driver, "amdgpu 6.14.5");
  EXPECT_EQ(facts.runtime, "ROCm 7.2.0-43");
  EXPECT_EQ(facts.performance_level, "auto");
}

TEST_F(GpuFactsTest, AnNvidiaCard) {
  rocm::gpu::Device device;
  device.vendor = rocm::gpu::Vendor::kNvidia;
  Write("/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\n"
        "GCC version:  gcc version 12.2.0\n");
  EXPECT_EQ(FactsOf(device, root_).driver, "nvidia 550.54.14");
  Write("/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build\n");
  EXPECT_EQ(FactsOf(device, root_).driver, "nvidia 570.86.10");
}

TEST_F(GpuFactsTest, WhatCannotBeReadIsLeftOut) {
  const GpuFacts facts = FactsOf({}, root_);
  EXPECT_EQ(facts.driver, "");
  EXPECT_EQ(facts.runtime, "");
  EXPECT_EQ(facts.performance_level, "");
}

}  // namespace
}  // namespace harness
