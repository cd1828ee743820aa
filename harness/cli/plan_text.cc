// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/plan_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/scenario/sweep.h"

namespace harness {
namespace {

// The middle of a distribution, near enough for a plan.
double Typical(const Length& length) {
  struct Visitor {
    double operator()(const FixedLength& l) const { return l.tokens; }
    double operator()(const UniformLength& l) const { return (l.from + l.to) / 2.0; }
    double operator()(const LognormalLength& l) const { return l.median; }
    double operator()(const ChoiceLength& l) const {
      double sum = 0;
      for (const int n : l.tokens) sum += n;
      return sum / static_cast<double>(l.tokens.size());
    }
  };
  return std::visit(Visitor{}, length);
}

double PromptTokens(const Prompt& prompt) {
  if (const auto* p = std::get_if<SyntheticPrompt>(&prompt)) return Typical(p->tokens);
  if (const auto* p = std::get_if<ConversationPrompt>(&prompt)) {
    return Typical(p->user_tokens) * p->turns;
  }
  return 16;
}

struct StageTime {
  double seconds = 0;
  bool assumed = false;
};

StageTime Estimate(const Scenario& scenario, const Stage& stage, const AssumedSpeed& speed) {
  const Workload& w = scenario.workload;
  const double request_s = PromptTokens(w.prompt) / speed.prefill_tokens_per_s +
                           Typical(w.output_tokens) / speed.decode_tokens_per_s;
  const auto* open = std::get_if<OpenLoop>(&stage.load);
  StageTime time;
  if (open != nullptr && open->process == ArrivalProcess::kTrace) {
    time.seconds = static_cast<double>(open->trace.back().at.count()) * 1e-9;
  } else if (open != nullptr && stage.requests) {
    time.seconds = static_cast<double>(*stage.requests) / open->rate_per_s;
  } else if (stage.requests) {
    const int concurrency = std::get<ClosedLoop>(stage.load).concurrency;
    time.seconds = static_cast<double>(*stage.requests) * request_s / concurrency;
    time.assumed = true;
  }
  if (stage.duration) {
    const double bound = static_cast<double>(stage.duration->count()) / 1000.0;
    if (!stage.requests || bound < time.seconds) time = {bound, false};
  }
  if (open != nullptr) time.seconds += request_s;
  return time;
}

std::string Describe(const Stage& stage) {
  std::string text;
  if (const auto* closed = std::get_if<ClosedLoop>(&stage.load)) {
    text = fmt::format("{} at once", closed->concurrency);
  } else {
    const auto& open = std::get<OpenLoop>(stage.load);
    switch (open.process) {
      case ArrivalProcess::kConstant: text = fmt::format("constant {}/s", open.rate_per_s); break;
      case ArrivalProcess::kPoisson: text = fmt::format("Poisson {}/s", open.rate_per_s); break;
      case ArrivalProcess::kGamma:
        text = fmt::format("gamma {}/s, shape {}", open.rate_per_s, open.shape);
        break;
      case ArrivalProcess::kTrace: text = fmt::format("trace {}", open.trace_file); break;
    }
  }
  if (stage.requests) text += fmt::format(", {} requests", *stage.requests);
  if (stage.duration) {
    text += fmt::format(", {:g} s", static_cast<double>(stage.duration->count()) / 1000.0);
  }
  return stage.record ? text : text + ", not recorded";
}

std::string Rounds(const Scenario& scenario, int times) {
  if (!scenario.ab) return times > 1 ? fmt::format(" × {} rounds", times) : "";
  return fmt::format(" × {} rounds of {} and {}, as many again where an effect is suspect",
                     times / 2, scenario.ab->variants[0].name, scenario.ab->variants[1].name);
}

}  // namespace

std::string DescribePlan(const std::vector<Scenario>& scenarios, std::optional<int> rounds,
                         const AssumedSpeed& speed) {
  std::string text;
  double total = 0;
  bool assumed = false;
  int servers = 0;
  for (const Scenario& scenario : scenarios) {
    const bool ab = scenario.ab.has_value();
    const int times = ab               ? 2 * rounds.value_or(scenario.ab->rounds)
                      : scenario.fault ? rounds.value_or(scenario.fault->repeat)
                                       : rounds.value_or(scenario.rounds);
    text += fmt::format("{}: {}\n", scenario.name, scenario.why);
    for (const Variant& variant : Expand(scenario)) {
      const int starts = scenario.fault                  ? times + 1
                         : !variant.new_server           ? 0
                         : scenario.restart_server || ab ? times
                                                         : 1;
      servers += starts;
      total += starts * speed.load_s;
      total += std::max(0, starts - 1) * static_cast<double>(scenario.cool_down.count()) / 1e3;
      const std::string name = !variant.name.empty() ? variant.name
                               : ab                  ? "one comparison"
                                                     : "one variant";
      text += fmt::format("  {}{}{}\n", name, Rounds(scenario, times),
                          starts == 0  ? ""
                          : starts > 1 ? fmt::format(", starts {} servers", starts)
                                       : ", starts a server");
      for (const Stage& stage : variant.scenario.stages) {
        const StageTime time = Estimate(variant.scenario, stage, speed);
        total += times * time.seconds;
        assumed = assumed || time.assumed;
        text += fmt::format("    {}: {}, {}{:.0f} s\n", stage.name, Describe(stage),
                            time.assumed ? "about " : "", time.seconds);
      }
    }
  }
  text += fmt::format("{} server start{}, about {:.0f} s in all", servers, servers == 1 ? "" : "s",
                      total);
  if (assumed) {
    text += fmt::format(
        " (assumed: {:g} tok/s decode for one stream, {:g} tok/s prefill, {:g} s a start)",
        speed.decode_tokens_per_s, speed.prefill_tokens_per_s, speed.load_s);
  }
  return text + "\n";
}

}  // namespace harness
