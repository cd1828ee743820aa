// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/load_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/cli/running_server.h"
#include "harness/cli/variant_rounds.h"
#include "harness/scenario/sweep.h"

namespace harness {
namespace {

// One scenario while it runs; the server is kept for as long as the variants allow.
class LoadRun {
 public:
  explicit LoadRun(RunContext& context) : context_(context) {}
  void Run(const Scenario& scenario);

 private:
  void RunVariant(const Variant& variant);
  [[nodiscard]] bool OpenServer(const Variant& variant, const RunPlace& place);
  RunContext& context_;
  std::unique_ptr<RunningServer> server_;
  int streams_ = 1;                  // of any variant: it may come to the same server
  std::set<std::string> saturated_;  // climbs that are over
};

void LoadRun::Run(const Scenario& scenario) {
  const bool until_saturation = std::ranges::any_of(
      scenario.sweep, [](const SweepAxis& axis) { return axis.until_saturation; });
  const std::vector<Variant> variants = Expand(scenario);
  for (const Variant& variant : variants)
    streams_ = std::max(streams_, MaxStreams(variant.scenario));
  for (const Variant& variant : variants) {
    if (until_saturation && saturated_.contains(variant.climb)) {
      context_.log.Note(
          {scenario.name, variant.name, 0, ""}, "note",
          {{"text",
            fmt::format("{} was not run: the rate before saturated the server", variant.name)}});
      continue;
    }
    RunVariant(variant);
    if (context_.over()) break;
  }
  if (server_ != nullptr) server_->Close("the scenario is over");
}

bool LoadRun::OpenServer(const Variant& variant, const RunPlace& place) {
  if (server_ != nullptr) server_->Close("the next one starts");
  server_.reset();
  auto server =
      RunningServer::Open(context_, context_.options.target, variant.scenario, place, streams_);
  if (!server) {
    if (!context_.interrupted()) context_.report.failure = server.error();
    return false;
  }
  server_ = *std::move(server);
  return true;
}

void LoadRun::RunVariant(const Variant& variant) {
  const Scenario& scenario = variant.scenario;
  const int rounds = context_.options.rounds.value_or(scenario.rounds);
  VariantRounds kept;
  std::optional<TargetFacts> facts;
  for (int round = 0; round < rounds; ++round) {
    const RunPlace place{scenario.name, variant.name, round, ""};
    const bool anew = round == 0 ? variant.new_server : scenario.restart_server;
    if (round > 0 && anew) context_.CoolDown(scenario.cool_down);
    if ((server_ == nullptr || anew) && !OpenServer(variant, place)) break;
    facts = server_->facts();
    if (!PassRound(context_, *server_, scenario, place, kept)) break;
  }
  if (facts) {
    kept.Conclude(context_, scenario, variant.name, *facts);
    const bool saturated = std::ranges::any_of(kept.entries(), [](const auto& entry) {
      return entry.saturation && entry.saturation->saturated;
    });
    if (saturated) saturated_.insert(variant.climb);
  }
}

}  // namespace

void RunLoadScenario(RunContext& context, const Scenario& scenario) {
  LoadRun(context).Run(scenario);
}

}  // namespace harness
