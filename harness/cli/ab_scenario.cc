// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/ab_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "harness/cli/ab_judge.h"
#include "harness/cli/running_server.h"
#include "harness/cli/session_events.h"
#include "harness/cli/variant_binding.h"
#include "harness/cli/variant_rounds.h"
#include "harness/measure/comparison.h"
#include "harness/scenario/sweep.h"

namespace harness {
namespace {

// One side of one value of the sweep.
struct Side {
  Scenario scenario;
  std::string name;  // of its records: "depth=2048,on"
  VariantRounds rounds;
  std::optional<TargetFacts> facts;
};

// One comparison.
struct Pair {
  std::string axis;  // "depth=2048"
  std::array<Side, 2> sides;
  int confirm_from = std::numeric_limits<int>::max();
};
using Pairs = std::vector<Pair*>;

// Measured again at most: a machine that spoils more is no place to compare on.
int SpareRounds(int rounds) { return std::max(1, rounds / 5); }

const VariantRounds::Gate* Spoilt(const Pair& pair) {
  const VariantRounds& a = pair.sides[0].rounds;
  const VariantRounds& b = pair.sides[1].rounds;
  const auto* gate = a.Spoilt(&b);
  return gate != nullptr ? gate : b.Spoilt(&a);
}

class AbRun {
 public:
  AbRun(RunContext& context, const Scenario& scenario);
  void Run();

 private:
  // Those that share their servers.
  void RunGroup(const Pairs& pairs);
  [[nodiscard]] bool RunRounds(const Pairs& pairs, int& next);
  [[nodiscard]] bool RunRound(const Pairs& pairs, int round);
  [[nodiscard]] bool Measure(const Pairs& pairs, std::size_t side, int round);
  void SetAside(Pair& pair, const VariantRounds::Gate& spoilt, int replaced_by);
  void Conclude(Pair& pair);
  [[nodiscard]] AbInput Input(const Pair& pair) const;
  [[nodiscard]] Json DescribeBinding(std::size_t side, const TargetFacts& facts) const;

  RunContext& context_;
  const Scenario& scenario_;
  const AbPlan& plan_;
  const int rounds_;
  std::array<TargetOptions, 2> targets_;
  std::deque<Pair> pairs_;
  std::vector<Pairs> groups_;
  bool first_server_ = true;
};

AbRun::AbRun(RunContext& context, const Scenario& scenario)
    : context_(context),
      scenario_(scenario),
      plan_(*scenario.ab),
      rounds_(context.options.rounds.value_or(plan_.rounds)) {
  for (std::size_t side = 0; side < 2; ++side) {
    targets_[side] = Bind(context.options.target, plan_.variants[side], context.options.bindings);
  }
  for (const Variant& variant : Expand(scenario)) {
    Pair& pair = pairs_.emplace_back();
    pair.axis = variant.name;
    for (std::size_t side = 0; side < 2; ++side) {
      const AbVariant& plan = plan_.variants[side];
      pair.sides[side].scenario = variant.scenario;
      pair.sides[side].scenario.server = Merge(variant.scenario.server, plan.server);
      pair.sides[side].name = SideName(variant.name, plan);
    }
    if (variant.new_server || groups_.empty()) groups_.emplace_back();
    groups_.back().push_back(&pair);
  }
}

void AbRun::Run() {
  if (rounds_ < kRuleRounds) {
    const std::string text = fmt::format("{}: {} rounds instead of the {} that are the rule",
                                         scenario_.name, rounds_, kRuleRounds);
    context_.progress.Say(text);
    context_.log.Note({scenario_.name, "", 0, ""}, "note", {{"text", text}});
  }
  for (const Pairs& group : groups_) {
    RunGroup(group);
    if (context_.over()) break;
  }
}

void AbRun::RunGroup(const Pairs& pairs) {
  int next = 0;
  if (RunRounds(pairs, next)) {
    for (Pair* pair : pairs) pair->confirm_from = next;
    Pairs suspects;
    std::ranges::copy_if(pairs, std::back_inserter(suspects),
                         [this](const Pair* pair) { return NeedsConfirmation(Input(*pair)); });
    for (const Pair* pair : suspects) {
      context_.progress.Say(fmt::format("{}: suspect; {} fresh rounds confirm or clear it",
                                        ToString(RunPlace{scenario_.name, pair->axis, 0, ""}),
                                        rounds_));
    }
    if (!suspects.empty()) (void)RunRounds(suspects, next);
  }
  for (Pair* pair : pairs) Conclude(*pair);
}

// As many as were asked for, from `next` on, then one for each that was spoilt on either side, as
// long as there are spare ones. False when the run is over.
bool AbRun::RunRounds(const Pairs& pairs, int& next) {
  for (const int end = next + rounds_; next < end; ++next) {
    if (!RunRound(pairs, next)) return false;
  }
  for (int spare = SpareRounds(rounds_); spare > 0; --spare, ++next) {
    Pairs again;
    std::vector<VariantRounds::Gate> spoilt;
    for (Pair* pair : pairs) {
      const auto* gate = Spoilt(*pair);
      if (gate == nullptr) continue;
      again.push_back(pair);
      spoilt.push_back(*gate);
      context_.progress.Say(fmt::format("{}: round {} is spoilt ({}); it is measured again",
                                        ToString(RunPlace{scenario_.name, pair->axis, 0, ""}),
                                        gate->round, gate->verdict.reason));
    }
    if (again.empty()) break;
    if (!RunRound(again, next)) return false;
    for (std::size_t i = 0; i < again.size(); ++i) SetAside(*again[i], spoilt[i], next);
  }
  return true;
}

bool AbRun::RunRound(const Pairs& pairs, int round) {
  const std::size_t first = BaselineFirst(round + 1).back() ? 0 : 1;
  return Measure(pairs, first, round) && Measure(pairs, 1 - first, round);
}

// A pair of rounds is one measurement: where one half is spoilt, both go.
void AbRun::SetAside(Pair& pair, const VariantRounds::Gate& spoilt, int replaced_by) {
  const Verdict& verdict = spoilt.verdict;
  context_.log.Note({scenario_.name, verdict.variant, spoilt.round, verdict.stage},
                    "round_set_aside", {{"reason", verdict.reason}, {"replaced_by", replaced_by}});
  for (Side& side : pair.sides) side.rounds.SetAside(spoilt.round, replaced_by);
}

bool AbRun::Measure(const Pairs& pairs, std::size_t side, int round) {
  if (!std::exchange(first_server_, false)) context_.CoolDown(scenario_.cool_down);
  if (context_.over()) return false;
  int streams = 1;
  for (const Pair* pair : pairs) {
    streams = std::max(streams, MaxStreams(pair->sides[side].scenario));
  }
  const Side& head = pairs.front()->sides[side];
  auto server = RunningServer::Open(context_, targets_[side], head.scenario,
                                    {scenario_.name, head.name, round, ""}, streams);
  if (!server) {
    if (!context_.interrupted()) {
      context_.report.failure = server.error();
      context_.report.failure->message =
          fmt::format("{} {}: {}", scenario_.name, head.name, server.error().message);
    }
    return false;
  }
  for (Pair* pair : pairs) {
    Side& own = pair->sides[side];
    own.facts = (*server)->facts();
    const RunPlace place{scenario_.name, own.name, round, ""};
    if (!PassRound(context_, **server, own.scenario, place, own.rounds)) return false;
  }
  (*server)->Close("the round is over");
  return true;
}

AbInput AbRun::Input(const Pair& pair) const {
  const auto& [a, b] = pair.sides;
  AbInput input;
  input.scenario = &a.scenario;
  input.a = &a.rounds;
  input.b = &b.rounds;
  input.name_a = plan_.variants[0].name;
  input.name_b = plan_.variants[1].name;
  input.variant = fmt::format("{} against {}", b.name, a.name);
  input.rounds = rounds_;
  input.confirm_from = pair.confirm_from;
  if (context_.options.calibration) input.calibration = &*context_.options.calibration;
  input.random_weights =
      (a.facts && a.facts->random_weights) || (b.facts && b.facts->random_weights);
  return input;
}

// Of a bound model or URL: another one is another trend. A binary is not: builds come and go.
Json AbRun::DescribeBinding(std::size_t side, const TargetFacts& facts) const {
  const TargetOptions& own = targets_[side];
  const TargetOptions& common = context_.options.target;
  if (own.url != common.url) return {{"url", own.url}};
  if (own.model == common.model || !facts.model) return nullptr;
  return {{"model", facts.model->name},
          {"quantisation", facts.model->quantisation},
          {"bytes", facts.model->file_bytes}};
}

void AbRun::Conclude(Pair& pair) {
  for (std::size_t side = 0; side < 2; ++side) {
    Side& own = pair.sides[side];
    if (!own.facts) continue;
    own.rounds.Conclude(context_, own.scenario, own.name, *own.facts,
                        DescribeBinding(side, *own.facts));
  }
  if (!pair.sides[0].facts || !pair.sides[1].facts) return;
  for (Comparison& comparison : JudgeAb(Input(pair))) {
    context_.log.Write(comparison.verdict);
    context_.report.comparisons.push_back(std::move(comparison));
  }
}

}  // namespace

void RunAbScenario(RunContext& context, const Scenario& scenario) {
  AbRun(context, scenario).Run();
}

}  // namespace harness
