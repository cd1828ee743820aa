// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/sweep.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/scenario/names.h"

namespace harness {
namespace {

bool NeedsNewServer(SweepParameter parameter) {
  return parameter >= SweepParameter::kContextPerSlot;
}

void Apply(SweepParameter parameter, double value, Scenario& scenario) {
  const int whole = static_cast<int>(value);
  const auto each_stage = [&](auto* type, auto&& change) {
    for (Stage& stage : scenario.stages) {
      auto* loop = std::get_if<std::remove_pointer_t<decltype(type)>>(&stage.load);
      if (stage.record && loop != nullptr) change(*loop);
    }
  };
  switch (parameter) {
    case SweepParameter::kConcurrency:
      each_stage(static_cast<ClosedLoop*>(nullptr), [&](ClosedLoop& l) { l.concurrency = whole; });
      break;
    case SweepParameter::kRate:
      each_stage(static_cast<OpenLoop*>(nullptr), [&](OpenLoop& l) {
        if (l.process != ArrivalProcess::kTrace) l.rate_per_s = value;
      });
      break;
    case SweepParameter::kPromptTokens:
      std::get<SyntheticPrompt>(scenario.workload.prompt).tokens = FixedLength{whole};
      break;
    case SweepParameter::kDepth:
      std::get<SyntheticPrompt>(scenario.workload.prompt).depth = whole;
      break;
    case SweepParameter::kOutputTokens: scenario.workload.output_tokens = FixedLength{whole}; break;
    case SweepParameter::kContextPerSlot: scenario.server.context_per_slot = whole; break;
    case SweepParameter::kSlots: scenario.server.slots = whole; break;
    case SweepParameter::kBatchSize: scenario.server.batch_size = whole; break;
    case SweepParameter::kThreads: scenario.server.threads = whole; break;
    case SweepParameter::kGpuLayers: scenario.server.gpu_layers = whole; break;
    case SweepParameter::kSplitMode:
    case SweepParameter::kTensorSplit:
    case SweepParameter::kPageCache: break;  // have words
  }
}

void Apply(SweepParameter parameter, const std::string& word, Scenario& scenario) {
  ServerSettings& server = scenario.server;
  if (parameter == SweepParameter::kSplitMode) server.split_mode = word;
  if (parameter == SweepParameter::kTensorSplit) server.tensor_split = word;
  if (parameter != SweepParameter::kPageCache) return;
  for (const auto& [name, value] : kPageCacheNames) {
    if (name == word) server.page_cache = value;
  }
}

// "0.5", "layer"; the commas of "3,1" would end the value in a variant's name.
std::string ApplyValue(const SweepAxis& axis, std::size_t index, Scenario& scenario) {
  if (!HasWords(axis.parameter)) {
    Apply(axis.parameter, axis.values[index], scenario);
    return fmt::format("{}", axis.values[index]);
  }
  std::string word = axis.words[index];
  Apply(axis.parameter, word, scenario);
  std::ranges::replace(word, ',', ':');
  return word;
}

}  // namespace

std::vector<Variant> Expand(const Scenario& scenario) {
  std::vector<SweepAxis> axes = scenario.sweep;
  std::stable_partition(axes.begin(), axes.end(),
                        [](const SweepAxis& a) { return NeedsNewServer(a.parameter); });
  std::size_t count = 1;
  for (const SweepAxis& axis : axes) count *= axis.size();
  std::vector<Variant> variants;
  for (std::size_t i = 0; i < count; ++i) {
    Variant variant{
        .name = "", .scenario = scenario, .climb = "", .values = {}, .new_server = true};
    variant.scenario.sweep.clear();
    std::size_t stride = count;
    for (const SweepAxis& axis : axes) {
      stride /= axis.size();
      const std::size_t index = i / stride % axis.size();
      const std::string value = ApplyValue(axis, index, variant.scenario);
      variant.values.push_back(HasWords(axis.parameter) ? static_cast<double>(index)
                                                        : axis.values[index]);
      const std::string piece = fmt::format("{}={}", ToString(axis.parameter), value);
      variant.name += (variant.name.empty() ? "" : ",") + piece;
      if (!axis.until_saturation) variant.climb += piece + ",";
    }
    variant.new_server =
        variants.empty() || !(variants.back().scenario.server == variant.scenario.server);
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace harness
