// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/estimate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backend/gguf/synthetic_model.h"

namespace rocm::gguf {
namespace {

using ::testing::HasSubstr;

double Mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1u << 20); }

// What llama-server b11669 logged on the CPU for these shapes (Q4_0, Q8_0 for Qwen3; the layers
// reduced, -fa on unless the case says otherwise): KV and compute buffers in MiB.
struct Logged {
  std::string_view shape;
  std::uint32_t layers;
  int context_in_all;
  int slots;
  std::string_view variant;
  double kv;
  double compute;
};

constexpr Logged kLogged[] = {
    {"llama-2-7b", 2, 4096, 1, "", 128.0, 108.52},
    {"llama-2-7b", 2, 4096, 4, "", 128.0, 105.52},
    {"llama-2-7b", 2, 16384, 4, "", 512.0, 108.52},
    {"llama-2-7b", 2, 16384, 4, "unified", 512.0, 120.52},
    {"llama-2-7b", 2, 4096, 1, "fa off", 128.0, 328.01},
    {"llama-2-7b", 2, 16384, 4, "fa off", 512.0, 328.01},
    {"llama-2-7b", 2, 4096, 1, "ub 128", 128.0, 27.13},
    {"llama-2-7b", 2, 4096, 1, "ub 2048", 128.0, 434.07},
    {"llama-2-7b", 2, 4096, 1, "q8_0", 68.0, 108.6},
    {"llama-2-7b", 2, 4096, 1, "q4_0/f16", 82.0, 108.58},
    {"llama-2-7b", 2, 1000, 1, "", 32.0, 105.52},
    {"llama-2-7b", 2, 1000, 3, "", 48.0, 105.22},
    {"gemma3-1b", 26, 512, 1, "", 13.0, 52.78},
    {"gemma3-1b", 26, 4096, 1, "", 38.0, 56.78},
    {"gemma3-1b", 26, 16384, 1, "", 86.0, 68.78},
    {"gemma3-1b", 26, 32768, 1, "", 150.0, 84.78},
    {"gemma3-1b", 26, 4096, 4, "", 104.0, 53.78},
    {"gemma3-1b", 26, 16384, 4, "", 152.0, 56.78},
    {"gemma3-1b", 26, 16384, 4, "unified", 119.0, 70.28},
    {"gemma3-1b", 26, 4096, 1, "fa off", 38.0, 63.77},
    {"gemma3-1b", 26, 4096, 1, "ub 128", 32.5, 14.13},
    {"gemma3-1b", 26, 4096, 1, "ub 2048", 71.0, 233.11},
    {"gemma3-1b", 26, 4096, 1, "q8_0", 20.19, 57.31},
    {"gemma3-1b", 26, 1000, 3, "", 39.0, 52.88},
    {"gemma3-4b", 7, 4096, 1, "", 52.0, 90.53},
    {"gemma3-12b", 6, 4096, 1, "", 92.0, 133.03},
    {"llama-3.1-8b", 2, 4096, 1, "", 32.0, 128.02},
    {"qwen2.5-7b", 2, 4096, 1, "", 16.0, 150.02},
    {"qwen3-8b", 2, 4096, 1, "", 32.0, 116.02},
    {"qwen3-8b", 2, 4096, 1, "fa off", 32.0, 316.01},
    {"qwen3-8b", 2, 16384, 4, "unified", 128.0, 128.02},
};

MemoryRequest RequestFor(const Logged& logged) {
  MemoryRequest request;
  request.context_per_slot = logged.context_in_all / logged.slots;
  request.slots = logged.slots;
  request.gpu_layers = 0;
  request.flash_attention = logged.variant != "fa off";
  request.unified_kv = logged.variant == "unified";
  if (logged.variant == "ub 128") request.micro_batch = 128;
  if (logged.variant == "ub 2048") request.micro_batch = 2048;
  if (logged.variant == "q8_0") request.kv_type_k = request.kv_type_v = "q8_0";
  if (logged.variant == "q4_0/f16") request.kv_type_k = "q4_0";
  return request;
}

TEST(EstimateTest, AgreesWithWhatARealServerLogged) {
  for (const Logged& logged : kLogged) {
    ModelShape shape = *FindModelShape(logged.shape);
    shape.layers = logged.layers;
    shape.vocabulary = 3000;  // only the logits depend on it
    const Metadata metadata = SyntheticModelMetadata(shape, WeightType::kQ4_0);
    const auto estimate = EstimateMemory(metadata, RequestFor(logged));
    ASSERT_TRUE(estimate) << estimate.error().message;
    const std::string which = fmt::format("{} c={} np={} {}", logged.shape, logged.context_in_all,
                                          logged.slots, logged.variant);
    EXPECT_NEAR(Mib(estimate->host.kv), logged.kv, 0.01) << which;
    // The buffer for the answers' logits is counted with it, but logged apart.
    const double output = 4.0 * logged.slots * shape.vocabulary / (1u << 20);
    EXPECT_NEAR((Mib(estimate->host.compute) - output) / logged.compute, 1.0, 0.04) << which;
    EXPECT_EQ(estimate->device, MemoryEstimate::Side{}) << which;
    EXPECT_EQ(estimate->host.weights, metadata.tensor_bytes) << which;
    EXPECT_TRUE(estimate->proven);
  }
}

TEST(EstimateTest, OffloadsTheOutputFirstThenTheLastLayers) {
  ModelShape shape = *FindModelShape("mistral-7b");
  shape.layers = 8;
  shape.width = 1024;
  const Metadata metadata = SyntheticModelMetadata(shape, WeightType::kQ4_0);
  // llama-server b11669 on a Vulkan device with -c 4096 -np 1: weights and KV there, in MiB.
  struct Split {
    int gpu_layers;
    double weights;
    double kv;
    int layers;
  };
  for (const Split& split :
       {Split{-1, 260.32, 128, 9}, Split{99, 260.32, 128, 9}, Split{9, 260.32, 128, 9},
        Split{8, 231.06, 112, 8}, Split{5, 143.29, 64, 5}, Split{0, 0, 0, 0}}) {
    MemoryRequest request;
    request.gpu_layers = split.gpu_layers;
    const auto estimate = EstimateMemory(metadata, request);
    ASSERT_TRUE(estimate);
    EXPECT_NEAR(Mib(estimate->device.weights), split.weights, 0.01) << split.gpu_layers;
    EXPECT_NEAR(Mib(estimate->device.kv), split.kv, 0.01) << split.gpu_layers;
    EXPECT_EQ(estimate->layers_on_device, split.layers);
    EXPECT_EQ(estimate->layers_total, 9);
    EXPECT_EQ(estimate->device.weights + estimate->host.weights, metadata.tensor_bytes);
    EXPECT_EQ(estimate->device.overhead, split.gpu_layers == 0 ? 0u : 256u << 20);
  }
}

TEST(EstimateTest, TiedEmbeddingsAreCopiedToTheDevice) {
  const Metadata metadata = SyntheticModelMetadata(*FindModelShape("gemma3-1b"), WeightType::kQ4_0);
  const auto estimate = EstimateMemory(metadata, {});
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->device.weights, metadata.tensor_bytes) << "all that is read for a token";
  EXPECT_NEAR(Mib(estimate->host.weights), 306.0, 0.01) << "and the rows to look tokens up in";
}

TEST(EstimateTest, OlderBuildsHoldTheLogitsOfAWholeBatch) {
  const Metadata metadata =
      SyntheticModelMetadata(*FindModelShape("llama-3.1-8b"), WeightType::kQ4_0);
  MemoryRequest request;
  request.logits_of_whole_batch = true;
  const auto estimate = EstimateMemory(metadata, request);
  ASSERT_TRUE(estimate);
  // The 258.5 MiB that such builds log, and the masks.
  EXPECT_NEAR(Mib(estimate->device.compute), 258.5 + 4.0, 0.1);
}

TEST(EstimateTest, TheCardOfThePredecessorHoldsItsModels) {
  const std::uint64_t card = std::uint64_t{16384} << 20;
  const auto fits = [&](std::string_view name, WeightType type, int context, int slots) {
    MemoryRequest request;
    request.context_per_slot = context;
    request.slots = slots;
    const auto estimate =
        EstimateMemory(SyntheticModelMetadata(*FindModelShape(name), type), request);
    return estimate && Fits(*estimate, card);
  };
  EXPECT_TRUE(fits("gemma3-4b", WeightType::kQ4_0, 4096, 4));
  EXPECT_TRUE(fits("llama-3.1-8b", WeightType::kQ4_0, 32768, 1));
  EXPECT_TRUE(fits("gemma3-27b", WeightType::kQ4_0, 256, 1)) << "tight, as it was";
  EXPECT_FALSE(fits("gemma3-27b", WeightType::kQ8_0, 256, 1));
  EXPECT_FALSE(fits("llama-3.1-8b", WeightType::kQ4_0, 32768, 4));
  EXPECT_FALSE(fits("llama-3.1-8b", WeightType::kF16, 16384, 1));
}

TEST(EstimateTest, LargestContextIsTheLastStepThatFits) {
  const Metadata metadata =
      SyntheticModelMetadata(*FindModelShape("llama-2-7b"), WeightType::kQ4_0);
  MemoryRequest request;
  request.context_per_slot = 4096;
  const auto at = [&](int context) {
    MemoryRequest other = request;
    other.context_per_slot = context;
    return EstimateMemory(metadata, other)->device.total();
  };
  EXPECT_EQ(LargestContextThatFits(metadata, request, at(4096)), 4096);
  EXPECT_EQ(LargestContextThatFits(metadata, request, at(4096) - 1), 4096 - 256);
  EXPECT_EQ(LargestContextThatFits(metadata, request, at(1024) + 1), 1024);
  EXPECT_EQ(LargestContextThatFits(metadata, request, at(256)), 256);
  EXPECT_EQ(LargestContextThatFits(metadata, request, at(256) - 1), 0);
  request.context_per_slot = 1000;
  EXPECT_EQ(LargestContextThatFits(metadata, request, at(1000)), 1000) << "as asked for";
  request.context_per_slot = 0;
  EXPECT_EQ(LargestContextThatFits(metadata, request, at(4096)), 4096) << "the automatic one";
}

TEST(EstimateTest, AutomaticContextIsCapped) {
  Metadata metadata;
  EXPECT_EQ(AutomaticContext(metadata), 4096);
  metadata.context_length = 2048;
  EXPECT_EQ(AutomaticContext(metadata), 2048);
  metadata.context_length = 131072;
  EXPECT_EQ(AutomaticContext(metadata), 4096);
}

TEST(EstimateTest, WrongRequestsAreNamed) {
  const Metadata metadata =
      SyntheticModelMetadata(*FindModelShape("llama-2-7b"), WeightType::kQ4_0);
  const auto error = [&](const MemoryRequest& request) {
    const auto estimate = EstimateMemory(metadata, request);
    EXPECT_FALSE(estimate);
    EXPECT_EQ(estimate.error().code, ErrorCode::kInvalidArgument);
    return estimate.error().message;
  };
  EXPECT_THAT(error({.slots = 0}), HasSubstr("for 0 slots"));
  EXPECT_THAT(error({.context_per_slot = -1}), HasSubstr("of -1 tokens"));
  EXPECT_THAT(error({.kv_type_v = "q3_K"}), HasSubstr("no KV cache type 'q3_K'; there are f32"));
}

TEST(EstimateTest, WhatIsNoTransformerIsNotGuessedAt) {
  Metadata metadata;
  metadata.path = "x.gguf";
  metadata.architecture = "mamba";
  const auto estimate = EstimateMemory(metadata, {});
  ASSERT_FALSE(estimate);
  EXPECT_EQ(estimate.error().code, ErrorCode::kModelUnsupported);
  EXPECT_THAT(estimate.error().message, HasSubstr("no estimate for x.gguf"));
  Metadata many = SyntheticModelMetadata(*FindModelShape("llama-2-7b"), WeightType::kQ4_0);
  many.layers = std::numeric_limits<int>::max();
  EXPECT_FALSE(EstimateMemory(many, {}));
}

TEST(EstimateTest, NoNumberInAFileMakesItOverflow) {
  Metadata metadata = SyntheticModelMetadata(*FindModelShape("gemma3-1b"), WeightType::kQ4_0);
  for (const char* key : {"attention.head_count_kv", "attention.key_length", "feed_forward_length",
                          "attention.sliding_window", "expert_used_count"}) {
    metadata.values.insert_or_assign(metadata.ArchitectureKey(key),
                                     std::numeric_limits<std::uint64_t>::max());
  }
  const auto estimate = EstimateMemory(
      metadata, {.context_per_slot = std::numeric_limits<int>::max(), .slots = 65536});
  ASSERT_TRUE(estimate);
  EXPECT_GE(estimate->device.total(), std::uint64_t{1} << 60);
  EXPECT_FALSE(Fits(*estimate, std::uint64_t{1} << 50));
}

TEST(EstimateTest, LayersMayDifferInTheirHeads) {
  ModelShape shape = *FindModelShape("llama-2-7b");
  shape.layers = 2;
  Metadata metadata = SyntheticModelMetadata(shape, WeightType::kQ4_0);
  metadata.values.insert_or_assign("llama.attention.head_count_kv",
                                   Array{.element_type = 4, .count = 2, .elements = {32, 8}});
  const auto estimate = EstimateMemory(metadata, {.context_per_slot = 4096});
  ASSERT_TRUE(estimate);
  EXPECT_NEAR(Mib(estimate->device.kv), 64.0 + 16.0, 0.01);
}

}  // namespace
}  // namespace rocm::gguf
