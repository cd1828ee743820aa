// SPDX-License-Identifier: EUPL-1.2
// The GPU path on a machine without one: a run on software Vulkan with all layers offloaded. The
// device is the one pinned, the log's memory lines are in the record, and every answer is exact.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class VulkanRun : public ::testing::TestWithParam<std::string> {};

TEST_P(VulkanRun, OffloadsEverythingAndAnswersExactly) {
  const char* plain = std::getenv("ROCM_TEST_LLAMA_SERVER");
  const std::string build =
      plain == nullptr ? "" : fs::path(plain).replace_filename("llama-server-vulkan").string();
  if (!fs::exists(build)) GTEST_SKIP() << "no llama-server-vulkan beside ROCM_TEST_LLAMA_SERVER";
  const ScratchFolder folder;
  const std::string chain = folder.At("chain.gguf");
  BenchProcess synth({"synth", "--chain", chain});
  ASSERT_EQ(synth.Wait(), 0) << synth.err();
  const std::string scenario = folder.Write("vulkan.json", R"({
    "schema": 1, "name": "vulkan", "why": "The GPU path.", "kind": "load", "timing": "unjudged",
    "server": {"slots": 2, "context_per_slot": 1024, "gpu_layers": 99, "threads": 1,
               "flash_attention": ")" + GetParam() + R"("},
    "workload": {"api": "native", "prompt": {"synthetic_tokens": {"choice": [5, 60]}},
                 "output_tokens": {"fixed": 8}, "seed": 3},
    "stages": [{"name": "exact", "closed_loop": {"concurrency": 2}, "requests": 6}],
    "expect": [{"answer": "chain"}, {"metric": "requests_ok", "op": "==", "value": 6},
               {"metric": "length_mismatches", "op": "==", "value": 0}]})");
  BenchProcess bench({"run", scenario, "--target", "llama-server", "--model", chain,
                      "--server-binary", build, "--backend", "vulkan", "--device", "0", "--out",
                      folder.At(""), "--quiet"});
  // The first start of the driver compiles shaders.
  ASSERT_EQ(bench.Wait(std::chrono::seconds(100)), 0) << bench.err() << bench.out();

  const auto lines = ReadLines(folder.RunFile());
  EXPECT_EQ(lines.front()["fingerprint"]["identity"]["backend"], "vulkan");
  json started;
  for (const json& event : OfType(lines, "event")) {
    if (event["event"] == "server_started") started = event["detail"];
  }
  ASSERT_TRUE(started.is_object());
  EXPECT_EQ(started["applied"]["devices"], json::array({"Vulkan0"}));
  EXPECT_EQ(started["applied"]["gpu_layers"], 3);
  EXPECT_EQ(started["applied"]["flash_attention"], GetParam());
  // Weights, cache and work space on the device, each with a size.
  std::map<std::string, double> mib;
  for (const json& buffer : started["memory"]["buffers"]) {
    if (buffer["device"] == "Vulkan0") mib[buffer["kind"]] += buffer["mib"].get<double>();
  }
  EXPECT_GT(mib["model"], 1.0);
  EXPECT_GT(mib["kv_cache"], 0.5);
  EXPECT_GT(mib["compute"], 0.5);
  const json& device = started["memory"]["device"];
  EXPECT_NEAR(device["estimated_bytes"].get<double>() / device["allocated_bytes"].get<double>(),
              1.0, 0.5);
  int exact = 0;
  for (const json& verdict : OfType(lines, "verdict")) {
    if (verdict["kind"] != "expectation") continue;
    EXPECT_EQ(verdict["finding"], "pass") << verdict.dump();
    ++exact;
  }
  EXPECT_EQ(exact, 3);
}

INSTANTIATE_TEST_SUITE_P(FlashAttention, VulkanRun, ::testing::Values("on", "off"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace harness::testing
