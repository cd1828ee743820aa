// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/fingerprint.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "harness/base/sha256.h"
#include "harness/base/unique_id.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

class FingerprintTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(root_); }
  void TearDown() override { fs::remove_all(root_); }
  void File(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  const fs::path root_ = fs::path(testing::TempDir()) / ("fingerprint-" + UniqueId());
};

TEST_F(FingerprintTest, ReadsTheMachine) {
  File("proc/cpuinfo",
       "processor\t: 0\nmodel name\t: AMD Ryzen 9 9950X\nflags\t\t: fpu hypervisor\n");
  File("proc/sys/kernel/osrelease", "6.12.1-amd64\n");
  File("proc/meminfo", "MemTotal:       65536000 kB\nMemFree: 1 kB\n");
  File("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
  File("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  File("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
  File("sys/devices/system/cpu/smt/control", "on\n");
  File("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  File("sys/class/power_supply/AC/type", "Mains\n");
  File("sys/class/power_supply/AC/online", "1\n");
  FingerprintInput input;
  input.backend_kind = "rocm";
  input.gpus = {{"RX 7800 XT", "GPU-1", "amdgpu 6.12", "ROCm 7.2", "auto", 263.0}};
  input.model = ModelFacts{"ff", 42, "gemma3", "Gemma", "Q4_K"};
  input.server_build = "b11669";
  input.environment = {{"HSA_OVERRIDE_GFX_VERSION", "11.0.0"},
                       {"GGML_API_KEY", "secret"},
                       {"LLAMA_API_KEY", "secret"},
                       {"HOME", "/home/somebody"}};
  const Fingerprint seen = CollectFingerprint(input, root_);
  EXPECT_EQ(seen.identity.at("cpu").at("model"), "AMD Ryzen 9 9950X");
  EXPECT_EQ(seen.identity.at("gpus").at(0).at("uuid"), "GPU-1");
  EXPECT_EQ(seen.identity.at("backend"), "rocm");
  EXPECT_EQ(seen.identity.at("model").at("sha256"), "ff");
  const auto& c = seen.covariates;
  EXPECT_EQ(c.at("kernel"), "6.12.1-amd64");
  EXPECT_EQ(c.at("os"), "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(c.at("memory"), "65536000 kB");
  EXPECT_EQ(c.at("cpu_governor"), "performance,powersave");
  EXPECT_EQ(c.at("huge_pages"), "madvise");
  EXPECT_EQ(c.at("mains_power"), "1");
  EXPECT_EQ(c.at("virtual_machine"), true);
  EXPECT_EQ(c.at("server_build"), "b11669");
  EXPECT_EQ(c.at("gpus").at(0).at("power_cap_w"), 263.0);
  EXPECT_EQ(c.at("environment").dump(), R"({"HSA_OVERRIDE_GFX_VERSION":"11.0.0"})");
}

TEST_F(FingerprintTest, WhatCannotBeReadIsLeftOut) {
  const Fingerprint seen = CollectFingerprint({}, root_);
  EXPECT_FALSE(seen.covariates.contains("kernel"));
  EXPECT_FALSE(seen.identity.at("cpu").contains("model"));
  EXPECT_TRUE(seen.identity.at("model").is_null());
}

TEST_F(FingerprintTest, ThisMachineHasAKernelAndACpu) {
  const Fingerprint seen = CollectFingerprint({});
  EXPECT_FALSE(seen.covariates.at("kernel").get<std::string>().empty());
  EXPECT_GE(seen.identity.at("cpu").at("threads").get<int>(), 1);
}

TEST_F(FingerprintTest, SeriesKeyFollowsIdentityAndNeverCovariates) {
  Fingerprint a;
  a.identity = {{"backend", "rocm"}, {"cpu", "x"}};
  a.covariates = {{"kernel", "6.1"}};
  Fingerprint reordered;
  reordered.identity = {{"cpu", "x"}, {"backend", "rocm"}};
  reordered.covariates = {{"kernel", "6.12"}};
  const std::string key = SeriesKey(a, "s", "", "steady", {{"slots", 4}});
  EXPECT_EQ(key.size(), 16U);
  EXPECT_EQ(key, SeriesKey(reordered, "s", "", "steady", {{"slots", 4}}));
  EXPECT_NE(key, SeriesKey(a, "s", "", "steady", {{"slots", 2}}));
  EXPECT_NE(key, SeriesKey(a, "s", "b", "steady", {{"slots", 4}}));
  EXPECT_NE(key, SeriesKey(a, "s", "", "other", {{"slots", 4}}));
  Fingerprint other = a;
  other.identity["backend"] = "vulkan";
  EXPECT_NE(key, SeriesKey(other, "s", "", "steady", {{"slots", 4}}));
}

TEST_F(FingerprintTest, ModelHashIsCachedUntilTheFileChanges) {
  const fs::path cache = root_ / "cache" / "model-sha256.jsonl";
  File("model.gguf", "first");
  EXPECT_EQ(ModelSha256(root_ / "model.gguf", cache).value(), Sha256Hex("first"));
  // Planting another hash shows that the second call reads the cache.
  std::string line;
  std::getline(std::ifstream(cache) >> std::ws, line);
  line.replace(line.find(Sha256Hex("first")), 64, std::string(64, '7'));
  std::ofstream(cache, std::ios::app) << "{torn\n" << line << '\n';
  EXPECT_EQ(ModelSha256(root_ / "model.gguf", cache).value(), std::string(64, '7'));
  File("model.gguf", "second!");
  EXPECT_EQ(ModelSha256(root_ / "model.gguf", cache).value(), Sha256Hex("second!"));
  // Same size, other time.
  File("model.gguf", "fourth!");
  fs::last_write_time(root_ / "model.gguf",
                      fs::last_write_time(root_ / "model.gguf") + std::chrono::seconds(1));
  EXPECT_EQ(ModelSha256(root_ / "model.gguf", cache).value(), Sha256Hex("fourth!"));
  EXPECT_EQ(ModelSha256(root_ / "none.gguf", cache).error().code, rocm::ErrorCode::kModelNotFound);
  EXPECT_EQ(ModelSha256(root_ / "model.gguf", {}).value(), Sha256Hex("fourth!"));
}

}  // namespace
}  // namespace harness
