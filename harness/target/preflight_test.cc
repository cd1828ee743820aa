// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/gguf/synthetic_model.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kGiB = 1U << 30U;

rocm::gguf::Metadata Shape(std::string_view name, rocm::gguf::WeightType type) {
  auto metadata = rocm::gguf::SyntheticModelMetadata(*rocm::gguf::FindModelShape(name), type);
  metadata.path = name;
  return metadata;
}

Room Card(std::uint64_t free_bytes) { return {"vulkan", "Vulkan0: a card", free_bytes}; }

TEST(CheckFits, HoldsTheEstimateAgainstTheRoom) {
  const auto model = Shape("gemma3-27b", rocm::gguf::WeightType::kQ4_0);
  const TargetOptions options;
  const ServerSettings settings;
  EXPECT_TRUE(CheckFits(model, options, settings, Card(32 * kGiB)));
  const auto fits = CheckFits(model, options, settings, Card(8 * kGiB));
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().code, rocm::ErrorCode::kInsufficientMemory);
  EXPECT_THAT(fits.error().message, HasSubstr("gemma3-27b needs 1"));
  EXPECT_THAT(fits.error().message, HasSubstr("Vulkan0: a card has 8.0 GiB free"));
}

TEST(CheckFits, SlotsAndContextCount) {
  const auto model = Shape("llama-2-7b", rocm::gguf::WeightType::kQ4_0);
  ServerSettings settings;
  settings.context_per_slot = 2048;
  EXPECT_TRUE(CheckFits(model, {}, settings, Card(6 * kGiB)));
  settings.slots = 8;  // 8 GiB of cache
  EXPECT_FALSE(CheckFits(model, {}, settings, Card(6 * kGiB)));
  TargetOptions anyway;
  anyway.ignore_estimate = true;
  EXPECT_TRUE(CheckFits(model, anyway, settings, Card(6 * kGiB)));
}

TEST(CheckFits, TheProcessorHasTheMachinesMemory) {
  const auto model = Shape("gemma3-27b", rocm::gguf::WeightType::kF16);
  const Room room{"cpu", "this machine's memory", 8 * kGiB};
  const auto fits = CheckFits(model, {}, {}, room);
  ASSERT_FALSE(fits);
  EXPECT_THAT(fits.error().message, HasSubstr("this machine's memory has 8.0 GiB free"));
  EXPECT_TRUE(CheckFits(model, {}, {}, Room{"cpu", "", 100 * kGiB}));
  EXPECT_TRUE(CheckFits(model, {}, {}, Room{"cpu", "", std::nullopt}));
}

TEST(FindRoom, TheProcessorIsAlwaysThere) {
  TargetOptions options;
  options.kind = TargetKind::kLlamaServer;
  options.backend = "cpu";
  const auto room = FindRoom(options, {});
  ASSERT_TRUE(room) << room.error().message;
  EXPECT_EQ(room->backend, "cpu");
  EXPECT_GT(room->free_bytes.value_or(0), 1U);
  options.backend = "abacus";
  EXPECT_THAT(FindRoom(options, {}).error().message, HasSubstr("unknown backend abacus"));
}

}  // namespace
}  // namespace harness
