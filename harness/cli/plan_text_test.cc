// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/plan_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace harness {
namespace {

using ::testing::HasSubstr;

Scenario PlanBase() {
  Scenario scenario;
  scenario.name = "n";
  scenario.why = "w";
  scenario.workload.prompt = SyntheticPrompt{FixedLength{1'000}, 0};
  scenario.workload.output_tokens = FixedLength{100};
  Stage stage;
  stage.name = "s";
  stage.load = ClosedLoop{4};
  stage.requests = 40;
  scenario.stages = {stage};
  return scenario;
}

TEST(DescribePlan, SaysWhatItAssumed) {
  // 1 s of prefill and 2 s of decode a request, four at once: 30 s, and a start.
  const std::string text = DescribePlan({PlanBase()}, std::nullopt, {50, 1'000, 5});
  EXPECT_THAT(text, HasSubstr("s: 4 at once, 40 requests, about 30 s"));
  EXPECT_THAT(text, HasSubstr("1 server start, about 35 s in all (assumed: 50 tok/s"));
}

TEST(DescribePlan, KnownTimesNeedNoAssumption) {
  Scenario scenario = PlanBase();
  scenario.stages[0].requests.reset();
  scenario.stages[0].duration = std::chrono::milliseconds(60'000);
  const std::string text = DescribePlan({scenario}, 3, {50, 1'000, 5});
  EXPECT_THAT(text, HasSubstr("one variant × 3 rounds"));
  EXPECT_THAT(text, HasSubstr("about 185 s in all\n"));
}

TEST(DescribePlan, TheShorterBoundCounts) {
  Scenario scenario = PlanBase();
  scenario.stages[0].duration = std::chrono::milliseconds(10'000);
  EXPECT_THAT(DescribePlan({scenario}, std::nullopt, {50, 1'000, 0}),
              HasSubstr("about 10 s in all"));
}

TEST(DescribePlan, CountsServersOfASweep) {
  Scenario scenario = PlanBase();
  scenario.sweep = {{SweepParameter::kSlots, {1, 2}, false},
                    {SweepParameter::kConcurrency, {1, 2, 4}, false}};
  const std::string text = DescribePlan({scenario}, std::nullopt, {});
  EXPECT_THAT(text, HasSubstr("2 server starts"));
  EXPECT_THAT(text, HasSubstr("slots=2,concurrency=4\n"));
}

TEST(DescribePlan, AComparisonStartsBothServersInEveryRound) {
  Scenario scenario = PlanBase();
  scenario.kind = ScenarioKind::kAb;
  scenario.cool_down = std::chrono::milliseconds(2'000);
  scenario.ab = AbPlan{};
  scenario.ab->variants.resize(2);
  scenario.ab->variants[0].name = "off";
  scenario.ab->variants[1].name = "on";
  // 10 rounds × 2 sides × (30 s and a start of 5 s), and 19 pauses of 2 s.
  const std::string text = DescribePlan({scenario}, std::nullopt, {50, 1'000, 5});
  EXPECT_THAT(text, HasSubstr("one comparison × 10 rounds of off and on, as many again"));
  EXPECT_THAT(text, HasSubstr("20 server starts, about 738 s in all"));
}

}  // namespace
}  // namespace harness
