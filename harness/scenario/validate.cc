// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/scenario/parse.h"

namespace harness {
namespace {

constexpr std::size_t kMaxVariants = 256;

// Names end up in file names, metric labels and tables.
bool IsName(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 80 && std::all_of(name.begin(), name.end(), allowed) &&
         name.front() != '.' && name.front() != '-';
}

void RequireName(const std::string& name, const std::string& path, Findings& findings) {
  if (!IsName(name)) {
    findings.Add(path,
                 "must be 1 to 80 letters, digits, '_', '-' or '.', not beginning with '.' "
                 "or '-'");
  }
}

const OpenLoop* AsOpen(const Stage& stage) { return std::get_if<OpenLoop>(&stage.load); }

void ValidateStages(const Scenario& scenario, Findings& findings) {
  std::set<std::string> names;
  bool recorded = false;
  for (std::size_t i = 0; i < scenario.stages.size(); ++i) {
    const Stage& stage = scenario.stages[i];
    const std::string path = AtIndex("$.stages", i);
    RequireName(stage.name, path + ".name", findings);
    if (!names.insert(stage.name).second) {
      findings.Add(path + ".name", fmt::format("another stage is called {} too", stage.name));
    }
    recorded = recorded || stage.record;
    const OpenLoop* open = AsOpen(stage);
    const bool trace = open != nullptr && open->process == ArrivalProcess::kTrace;
    if (!stage.requests && !stage.duration && !trace) {
      findings.Add(path, "never ends: give requests or duration_s");
    }
    if (trace && !std::holds_alternative<SyntheticPrompt>(scenario.workload.prompt)) {
      for (const TraceArrival& arrival : open->trace) {
        if (!arrival.prompt_tokens) continue;
        findings.Add(path + ".open_loop.trace",
                     "names prompt_tokens, which needs a synthetic_tokens prompt");
        break;
      }
    }
    if (open != nullptr && std::holds_alternative<ConversationPrompt>(scenario.workload.prompt)) {
      findings.Add(path + ".open_loop", "conversations need a closed_loop");
    }
  }
  if (!recorded) findings.Add("$.stages", "no stage is recorded");
}

void ValidateWorkload(const Scenario& scenario, Findings& findings) {
  const Workload& w = scenario.workload;
  const bool chat = w.api == WorkloadApi::kChat;
  if (std::holds_alternative<MessagesPrompt>(w.prompt) && !chat) {
    findings.Add("$.workload.prompt.messages", "needs the api chat");
  }
  if (std::holds_alternative<ConversationPrompt>(w.prompt) && !chat) {
    findings.Add("$.workload.prompt.conversation", "needs the api chat");
  }
  const auto* synthetic = std::get_if<SyntheticPrompt>(&w.prompt);
  const bool sweeps_depth =
      std::any_of(scenario.sweep.begin(), scenario.sweep.end(),
                  [](const SweepAxis& a) { return a.parameter == SweepParameter::kDepth; });
  if (synthetic != nullptr && (synthetic->depth > 0 || sweeps_depth)) {
    if (w.api != WorkloadApi::kNative) {
      findings.Add("$.workload.prompt.depth", "needs the api native, which can choose the slot");
    }
    if (!w.cache_prompt) {
      findings.Add("$.workload.cache_prompt", "must be true with a depth: the cache holds it");
    }
    for (std::size_t i = 0; i < scenario.stages.size(); ++i) {
      if (AsOpen(scenario.stages[i]) != nullptr) {
        findings.Add(AtIndex("$.stages", i) + ".open_loop", "a depth needs a closed_loop");
      }
    }
  }
}

void ValidateSweep(const Scenario& scenario, Findings& findings) {
  std::size_t variants = 1;
  std::set<SweepParameter> seen;
  const auto any_stage = [&](bool open) {
    return std::any_of(scenario.stages.begin(), scenario.stages.end(),
                       [&](const Stage& s) { return s.record && (AsOpen(s) != nullptr) == open; });
  };
  for (const SweepAxis& axis : scenario.sweep) {
    variants *= std::max<std::size_t>(axis.size(), 1);
    if (!seen.insert(axis.parameter).second) {
      findings.Add("$.sweep", fmt::format("{} stands twice", ToString(axis.parameter)));
    }
    const bool prompt =
        axis.parameter == SweepParameter::kPromptTokens || axis.parameter == SweepParameter::kDepth;
    if (prompt && !std::holds_alternative<SyntheticPrompt>(scenario.workload.prompt)) {
      findings.Add("$.sweep",
                   fmt::format("{} needs a synthetic_tokens prompt", ToString(axis.parameter)));
    }
    if (axis.parameter == SweepParameter::kConcurrency && !any_stage(false)) {
      findings.Add("$.sweep", "concurrency needs a recorded closed_loop stage");
    }
    if (axis.parameter == SweepParameter::kRate && !any_stage(true)) {
      findings.Add("$.sweep", "rate_per_s needs a recorded open_loop stage");
    }
  }
  if (variants > kMaxVariants) {
    findings.Add("$.sweep", fmt::format("makes more than {} variants", kMaxVariants));
  }
}

// Whether a side of a comparison sets what this axis varies.
bool Sets(const ServerSettings& server, SweepParameter parameter) {
  switch (parameter) {
    case SweepParameter::kContextPerSlot: return server.context_per_slot.has_value();
    case SweepParameter::kSlots: return server.slots.has_value();
    case SweepParameter::kBatchSize: return server.batch_size.has_value();
    case SweepParameter::kThreads: return server.threads.has_value();
    case SweepParameter::kGpuLayers: return server.gpu_layers.has_value();
    case SweepParameter::kSplitMode: return server.split_mode.has_value();
    case SweepParameter::kTensorSplit: return server.tensor_split.has_value();
    default: return false;
  }
}

void ValidateAb(const Scenario& scenario, Findings& findings) {
  const AbPlan& plan = *scenario.ab;
  for (const AbVariant& variant : plan.variants) {
    RequireName(variant.name, "$.ab.variants", findings);
    for (const SweepAxis& axis : scenario.sweep) {
      if (!Sets(variant.server, axis.parameter)) continue;
      findings.Add("$.ab.variants", fmt::format("{} sets {}, which the sweep varies", variant.name,
                                                ToString(axis.parameter)));
    }
  }
  if (scenario.rounds != 1 || scenario.restart_server) {
    findings.Add("$.rounds", "of a comparison stand in $.ab.rounds");
  }
  for (const SweepAxis& axis : scenario.sweep) {
    if (axis.until_saturation) findings.Add("$.sweep", "until_saturation needs the kind load");
  }
}

void ValidateExpectations(const Scenario& scenario, Findings& findings) {
  for (std::size_t i = 0; i < scenario.expect.size(); ++i) {
    const Expectation& expectation = scenario.expect[i];
    const std::string path = AtIndex("$.expect", i);
    const bool fault = scenario.kind == ScenarioKind::kFault;
    if (fault && expectation.stage == "recovery" && !expectation.answer) continue;
    if (expectation.stage.empty()) {
      if (fault && expectation.answer) {
        findings.Add(path + ".stage", "is missing: which stage's answers?");
      }
      continue;
    }
    const auto stage = std::find_if(scenario.stages.begin(), scenario.stages.end(),
                                    [&](const Stage& s) { return s.name == expectation.stage; });
    if (stage == scenario.stages.end()) {
      findings.Add(path + ".stage", "names no stage of this scenario");
    } else if (!stage->record) {
      findings.Add(path + ".stage", "names a stage that is not recorded");
    }
  }
}

}  // namespace

namespace {

void ValidateFault(const Scenario& scenario, Findings& findings) {
  const auto recorded = std::ranges::count_if(scenario.stages, &Stage::record);
  const bool load = scenario.fault->moment == FaultMoment::kLoad;
  if (recorded < (load ? 1 : 2)) {
    findings.Add("$.stages", load ? "a recorded stage must follow the fault"
                                  : "one recorded stage is struck, and at least one must follow");
  }
  if (scenario.rounds > 1 || scenario.restart_server) {
    findings.Add("$.rounds", "a fault has its own: fault.repeat");
  }
  for (std::size_t i = 0; i < scenario.stages.size(); ++i) {
    if (scenario.stages[i].name == "recovery") {
      findings.Add(AtIndex("$.stages", i) + ".name", "recovery is what the fault itself is called");
    }
  }
}

}  // namespace

void Validate(const Scenario& scenario, Findings& findings) {
  RequireName(scenario.name, "$.name", findings);
  ValidateStages(scenario, findings);
  ValidateWorkload(scenario, findings);
  ValidateSweep(scenario, findings);
  ValidateExpectations(scenario, findings);
  if ((scenario.kind == ScenarioKind::kAb) != scenario.ab.has_value()) {
    findings.Add("$.ab", "goes with the kind ab, and only with it");
  }
  if ((scenario.kind == ScenarioKind::kFault) != scenario.fault.has_value()) {
    findings.Add("$.fault", "goes with the kind fault, and only with it");
  }
  if (scenario.fault) ValidateFault(scenario, findings);
  if (!scenario.ab && scenario.restart_server && scenario.rounds < 2) {
    findings.Add("$.restart_server", "needs rounds of 2 or more");
  }
  if (scenario.ab) ValidateAb(scenario, findings);
}

}  // namespace harness
