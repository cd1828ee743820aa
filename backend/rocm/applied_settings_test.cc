// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/applied_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace rocm {
namespace {

using ::testing::HasSubstr;

llama_server::LogFacts FactsOf(const std::string& log) {
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  std::ifstream file(std::string(source == nullptr ? "." : source) +
                     "/backend/llama_server/log_corpus/" + log);
  EXPECT_TRUE(file) << log;
  llama_server::LogFacts facts;
  for (std::string line; std::getline(file, line);) llama_server::ReadLogLine(line, facts);
  return facts;
}

LoadPlan PlanFor(const std::string& backend) {
  LoadPlan plan;
  plan.backend = backend;
  plan.server.slots = 2;
  plan.server.context_per_slot = 512;
  if (backend == "cpu") plan.server.load.gpu_layers = 0;
  return plan;
}

TEST(AppliedSettingsTest, AServerWithoutAnyGpuIsNotTakenForOneWithAGpu) {
  const AppliedSettings applied = DescribeApplied({}, FactsOf("cpu_start.txt")).settings;
  EXPECT_EQ(applied.gpu_layers, 0);
  const auto checked = CheckApplied(PlanFor("rocm"), applied);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kBackendUnavailable);
  EXPECT_THAT(checked.error().message, HasSubstr("rocm"));
  EXPECT_TRUE(CheckApplied(PlanFor("cpu"), applied));
}

TEST(AppliedSettingsTest, AServerOnAGpuIsTaken) {
  const AppliedSettings applied = DescribeApplied({}, FactsOf("vulkan_start.txt")).settings;
  EXPECT_GT(applied.gpu_layers, 0);
  LoadPlan plan = PlanFor("vulkan");
  const auto checked = CheckApplied(plan, applied);
  EXPECT_TRUE(checked) << ToString(checked.error());
  plan.runtime = gpu::Runtime::kVulkan;
  EXPECT_TRUE(CheckApplied(plan, applied));
  plan.expected_device = "Vulkan1";
  EXPECT_EQ(CheckApplied(plan, applied).error().code, ErrorCode::kDeviceError);
  // A build with several backends takes the first of them.
  plan = PlanFor("rocm");
  plan.runtime = gpu::Runtime::kRocm;
  const auto other = CheckApplied(plan, applied);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("not on a ROCm device"));
}

TEST(AppliedSettingsTest, ASilentLogProvesNothing) {
  EXPECT_EQ(DescribeApplied({}, {}).settings.gpu_layers, -1);
  // A GPU in use, whose layers some build does not count.
  llama_server::LogFacts facts;
  facts.buffers = {{llama_server::LoggedBuffer::Kind::kModel, "ROCm0", 100.0}};
  facts.devices.emplace_back().used = true;
  EXPECT_EQ(DescribeApplied({}, facts).settings.gpu_layers, -1);
}

}  // namespace
}  // namespace rocm
