// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/memory_report.h"

#include <gtest/gtest.h>

namespace rocm {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(MemoryReportTest, HoldsTheEstimateAgainstTheLogByHand) {
  gguf::MemoryEstimate estimate;
  estimate.device = {
      .weights = 2000 * kMiB, .kv = 500 * kMiB, .compute = 100 * kMiB, .overhead = 256 * kMiB};
  estimate.host = {.weights = 100 * kMiB, .kv = 0, .compute = 10 * kMiB, .overhead = 0};
  llama_server::LogFacts facts;
  EXPECT_FALSE(CompareMemory(estimate, facts));
  using Kind = llama_server::LoggedBuffer::Kind;
  facts.buffers = {{Kind::kModel, "ROCm0", 2000.0},
                   {Kind::kKvCache, "ROCm0", 500.0},
                   {Kind::kCompute, "ROCm0", 0.0},
                   {Kind::kModel, "CPU_Mapped", 100.0},
                   {Kind::kOutput, "ROCm_Host", 25.0}};
  const auto report = CompareMemory(estimate, facts);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->device.estimated, 2600 * kMiB);
  EXPECT_EQ(report->device.allocated, 2500 * kMiB);
  EXPECT_NEAR(report->device.error().value(), 0.04, 1e-9);
  EXPECT_EQ(report->host.allocated, 125 * kMiB);
  EXPECT_NEAR(report->host.error().value(), -0.12, 1e-9);
  EXPECT_EQ(report->ToString(),
            "estimated 2.54 GiB on the device, allocated 2.44 GiB (+4.0 %); "
            "estimated 0.11 GiB on the host, allocated 0.12 GiB (-12.0 %)");
}

}  // namespace
}  // namespace rocm
