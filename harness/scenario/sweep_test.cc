// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/sweep.h"

#include <gtest/gtest.h>

namespace harness {
namespace {

Scenario Base() {
  Scenario scenario;
  scenario.workload.prompt = SyntheticPrompt{FixedLength{8}, 0};
  scenario.stages = {Stage{.name = "warm", .load = ClosedLoop{2}, .requests = 1, .record = false},
                     Stage{.name = "timed", .load = ClosedLoop{1}, .requests = 1}};
  return scenario;
}

TEST(Expand, WithoutASweepIsTheScenarioItself) {
  const auto variants = Expand(Base());
  ASSERT_EQ(variants.size(), 1u);
  EXPECT_EQ(variants[0].name, "");
  EXPECT_TRUE(variants[0].new_server);
}

TEST(Expand, StartsServersAsSeldomAsPossible) {
  Scenario scenario = Base();
  scenario.sweep = {{SweepParameter::kConcurrency, {1, 4}, false},
                    {SweepParameter::kSlots, {2, 8}, false}};
  const auto variants = Expand(scenario);
  ASSERT_EQ(variants.size(), 4u);
  EXPECT_EQ(variants[0].name, "slots=2,concurrency=1");
  EXPECT_EQ(variants[1].name, "slots=2,concurrency=4");
  EXPECT_EQ(variants[3].name, "slots=8,concurrency=4");
  EXPECT_TRUE(variants[0].new_server);
  EXPECT_FALSE(variants[1].new_server);
  EXPECT_TRUE(variants[2].new_server);
  EXPECT_FALSE(variants[3].new_server);
}

// Saturation ends one climb, never that of another prompt length.
TEST(Expand, NamesTheClimbThatARateBelongsTo) {
  Scenario scenario = Base();
  scenario.stages.push_back(Stage{.name = "open", .load = OpenLoop{}, .requests = 1});
  scenario.sweep = {{SweepParameter::kPromptTokens, {64, 2048}, false},
                    {SweepParameter::kRate, {1, 2}, true}};
  const auto variants = Expand(scenario);
  ASSERT_EQ(variants.size(), 4u);
  EXPECT_EQ(variants[0].climb, variants[1].climb);
  EXPECT_NE(variants[1].climb, variants[2].climb);
  EXPECT_EQ(variants[2].climb, variants[3].climb);
}

TEST(Expand, ChangesRecordedStagesOnly) {
  Scenario scenario = Base();
  scenario.sweep = {{SweepParameter::kConcurrency, {16}, false}};
  const auto variants = Expand(scenario);
  EXPECT_EQ(std::get<ClosedLoop>(variants[0].scenario.stages[0].load).concurrency, 2);
  EXPECT_EQ(std::get<ClosedLoop>(variants[0].scenario.stages[1].load).concurrency, 16);
}

TEST(Expand, EveryParameterReachesItsPlace) {
  Scenario scenario = Base();
  scenario.stages.push_back(Stage{.name = "open", .load = OpenLoop{}, .requests = 1});
  scenario.sweep = {{SweepParameter::kRate, {2.5}, false},
                    {SweepParameter::kPromptTokens, {512}, false},
                    {SweepParameter::kDepth, {2048}, false},
                    {SweepParameter::kOutputTokens, {64}, false}};
  const auto v = Expand(scenario)[0].scenario;
  EXPECT_EQ(std::get<OpenLoop>(v.stages[2].load).rate_per_s, 2.5);
  EXPECT_EQ(std::get<SyntheticPrompt>(v.workload.prompt),
            (SyntheticPrompt{FixedLength{512}, 2048}));
  EXPECT_EQ(std::get<FixedLength>(v.workload.output_tokens), FixedLength{64});
  EXPECT_TRUE(v.sweep.empty());
}

TEST(Expand, WordsReachTheServer) {
  Scenario scenario = Base();
  scenario.sweep = {{SweepParameter::kConcurrency, {3}, false},
                    {SweepParameter::kSplitMode, {}, false, {"layer", "row"}},
                    {SweepParameter::kTensorSplit, {}, false, {"3,1"}},
                    {SweepParameter::kPageCache, {}, false, {"cold"}},
                    {SweepParameter::kGpuLayers, {-1}, false},
                    {SweepParameter::kThreads, {2}, false}};
  const auto variants = Expand(scenario);
  ASSERT_EQ(variants.size(), 2u);
  EXPECT_EQ(variants[1].name,
            "split_mode=row,tensor_split=3:1,page_cache=cold,gpu_layers=-1,threads=2,"
            "concurrency=3");
  const ServerSettings& server = variants[1].scenario.server;
  EXPECT_EQ(server.split_mode, "row");
  EXPECT_EQ(server.tensor_split, "3,1");
  EXPECT_EQ(server.page_cache, PageCache::kCold);
  EXPECT_EQ(server.gpu_layers, -1);
  EXPECT_EQ(server.threads, 2);
  EXPECT_TRUE(variants[1].new_server);
}

}  // namespace
}  // namespace harness
