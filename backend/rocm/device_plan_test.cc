// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/device_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/gpu/fake_machine_for_tests.h"

namespace rocm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

TEST(DevicePlanTest, TheDiscreteCardIsPinnedInWhateverOrderTheyCome) {
  for (const bool graphics_first : {true, false}) {
    gpu::FakeMachine machine;
    machine.AddCpuNode();
    if (graphics_first) machine.AddGpu(gpu::FakeMachine::RyzenGraphics());
    auto card = gpu::FakeMachine::Rx7800Xt();
    machine.AddGpu(card);
    if (!graphics_first) machine.AddGpu(gpu::FakeMachine::RyzenGraphics());
    const auto plan = PlanDevice(BackendKind::kRocm, {}, {}, machine.places());
    ASSERT_TRUE(plan) << ToString(plan.error());
    ASSERT_TRUE(plan->device);
    EXPECT_EQ(plan->device->kind, gpu::Kind::kDiscrete);
    EXPECT_THAT(plan->mask.set, ElementsAre(Pair("ROCR_VISIBLE_DEVICES", plan->device->uuid)));
    EXPECT_EQ(plan->mask.expected_device, "ROCm0");
    ASSERT_TRUE(plan->free_device_bytes);
    EXPECT_GT(*plan->free_device_bytes, 8 * kGiB);
  }
}

TEST(DevicePlanTest, AProcessorsOwnGpuIsNotHeldAgainstWhatIsSetAsideForIt) {
  gpu::FakeMachine machine;
  machine.AddGpu(gpu::FakeMachine::RyzenGraphics());
  const auto plan = PlanDevice(BackendKind::kRocm, {}, {}, machine.places());
  ASSERT_TRUE(plan) << ToString(plan.error());
  ASSERT_TRUE(plan->device);
  EXPECT_EQ(plan->device->kind, gpu::Kind::kIntegrated);
  EXPECT_FALSE(plan->free_device_bytes);
}

TEST(DevicePlanTest, WithoutAGpuTheReasonsAreGivenAndTheCpuStillWorks) {
  const gpu::FakeMachine machine;
  const auto plan = PlanDevice(BackendKind::kRocm, {}, {}, machine.places());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kBackendUnavailable);
  EXPECT_THAT(plan.error().message, HasSubstr("/dev/kfd"));
  EXPECT_FALSE(PlanDevice(BackendKind::kCuda, {}, {}, machine.places()));
  EXPECT_TRUE(PlanDevice(BackendKind::kCpu, {}, {}, machine.places()));
}

TEST(DevicePlanTest, AUsersOwnMaskIsLeftAloneAndNothingIsAssumedOfTheDevice) {
  gpu::FakeMachine machine;
  machine.AddGpu(gpu::FakeMachine::Rx7800Xt());
  const auto plan =
      PlanDevice(BackendKind::kRocm, {}, {{"HIP_VISIBLE_DEVICES", "0"}}, machine.places());
  ASSERT_TRUE(plan) << ToString(plan.error());
  EXPECT_TRUE(plan->mask.set.empty());
  EXPECT_FALSE(plan->device);
  EXPECT_FALSE(plan->free_device_bytes);
}

TEST(DevicePlanTest, APinThatNamesNothingIsRefused) {
  gpu::FakeMachine machine;
  machine.AddGpu(gpu::FakeMachine::Rx7800Xt());
  LoadConfig config;
  config.device = "7";
  const auto plan = PlanDevice(BackendKind::kRocm, config, {}, machine.places());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
}

// A model of 8 GiB of weights in one layer's worth of figures.
gguf::Metadata BigModel() {
  gguf::Metadata metadata;
  metadata.path = "big.gguf";
  metadata.architecture = "llama";
  metadata.context_length = 131072;
  metadata.layers = 32;
  metadata.hidden_size = 4096;
  metadata.vocab_size = 128256;
  metadata.values["llama.block_count"] = std::uint64_t{32};
  metadata.values["llama.embedding_length"] = std::uint64_t{4096};
  metadata.values["llama.feed_forward_length"] = std::uint64_t{14336};
  metadata.values["llama.attention.head_count"] = std::uint64_t{32};
  metadata.values["llama.attention.head_count_kv"] = std::uint64_t{8};
  metadata.values["llama.context_length"] = std::uint64_t{131072};
  for (int layer = 0; layer < 32; ++layer) {
    gguf::TensorInfo tensor;
    tensor.name = "blk." + std::to_string(layer) + ".ffn_up.weight";
    tensor.shape = {4096, 14336};
    tensor.type = 1;  // F16
    tensor.bytes = kGiB / 4;
    metadata.tensors.push_back(tensor);
    metadata.tensor_bytes += tensor.bytes;
  }
  return metadata;
}

TEST(DevicePlanTest, TheContextShrinksToWhatFitsUnlessTheCallerNamedOne) {
  const gguf::Metadata model = BigModel();
  DevicePlan device;
  device.free_device_bytes = 16 * kGiB;
  LoadConfig config;
  EXPECT_EQ(FitContext(model, config, device).value(), 4096);
  device.free_device_bytes = 87 * kGiB / 10;
  const auto less = FitContext(model, config, device);
  ASSERT_TRUE(less) << ToString(less.error());
  EXPECT_LT(*less, 4096);
  EXPECT_GE(*less, 256);

  config.context_len = 65536;
  const auto refused = FitContext(model, config, device);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInsufficientMemory);
  EXPECT_THAT(refused.error().message, HasSubstr("big.gguf"));
  EXPECT_THAT(refused.error().message, HasSubstr("8.7 GiB free"));
  config.ignore_estimate = true;
  EXPECT_EQ(FitContext(model, config, device).value(), 65536);
}

TEST(DevicePlanTest, WhatDoesNotFitAtAllIsRefusedEvenWithoutAWish) {
  DevicePlan device;
  device.free_device_bytes = 4 * kGiB;
  const auto refused = FitContext(BigModel(), {}, device);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInsufficientMemory);
  LoadConfig on_cpu;
  on_cpu.gpu_layers = 0;
  EXPECT_TRUE(FitContext(BigModel(), on_cpu, device));
}

}  // namespace
}  // namespace rocm
