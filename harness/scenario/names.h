// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "harness/scenario/scenario.h"

namespace harness {

// The words of scenario files. The loader and the writer share them, so that what one writes the
// other reads.
template <typename E, std::size_t N>
using NameTable = std::array<std::pair<std::string_view, E>, N>;

inline constexpr NameTable<ScenarioKind, 3> kKindNames{
    {{"load", ScenarioKind::kLoad}, {"ab", ScenarioKind::kAb}, {"fault", ScenarioKind::kFault}}};
inline constexpr NameTable<WorkloadApi, 3> kApiNames{{{"native", WorkloadApi::kNative},
                                                      {"completion", WorkloadApi::kCompletion},
                                                      {"chat", WorkloadApi::kChat}}};
inline constexpr NameTable<rocm::FlashAttention, 3> kFlashAttentionNames{
    {{"auto", rocm::FlashAttention::kAuto},
     {"on", rocm::FlashAttention::kOn},
     {"off", rocm::FlashAttention::kOff}}};
inline constexpr NameTable<CompareOp, 6> kOpNames{{{"==", CompareOp::kEq},
                                                   {"!=", CompareOp::kNe},
                                                   {"<", CompareOp::kLt},
                                                   {"<=", CompareOp::kLe},
                                                   {">", CompareOp::kGt},
                                                   {">=", CompareOp::kGe}}};
inline constexpr NameTable<JudgedOn, 4> kOnNames{{{"anywhere", JudgedOn::kAnywhere},
                                                  {"hardware", JudgedOn::kHardware},
                                                  {"mock", JudgedOn::kMock},
                                                  {"chain", JudgedOn::kChain}}};
inline constexpr NameTable<PageCache, 3> kPageCacheNames{
    {{"as_it_is", PageCache::kAsItIs}, {"cold", PageCache::kCold}, {"warm", PageCache::kWarm}}};
inline constexpr NameTable<SweepParameter, 13> kSweepNames{
    {{"concurrency", SweepParameter::kConcurrency},
     {"rate_per_s", SweepParameter::kRate},
     {"prompt_tokens", SweepParameter::kPromptTokens},
     {"depth", SweepParameter::kDepth},
     {"output_tokens", SweepParameter::kOutputTokens},
     {"context_per_slot", SweepParameter::kContextPerSlot},
     {"slots", SweepParameter::kSlots},
     {"batch_size", SweepParameter::kBatchSize},
     {"threads", SweepParameter::kThreads},
     {"gpu_layers", SweepParameter::kGpuLayers},
     {"split_mode", SweepParameter::kSplitMode},
     {"tensor_split", SweepParameter::kTensorSplit},
     {"page_cache", SweepParameter::kPageCache}}};
inline constexpr NameTable<FaultAction, 6> kFaultActionNames{{{"kill", FaultAction::kKill},
                                                              {"segv", FaultAction::kSegv},
                                                              {"abort", FaultAction::kAbort},
                                                              {"stop", FaultAction::kStop},
                                                              {"term", FaultAction::kTerm},
                                                              {"unmask", FaultAction::kUnmask}}};
inline constexpr NameTable<FaultMoment, 4> kFaultMomentNames{{{"load", FaultMoment::kLoad},
                                                              {"prefill", FaultMoment::kPrefill},
                                                              {"decode", FaultMoment::kDecode},
                                                              {"idle", FaultMoment::kIdle}}};
inline constexpr NameTable<bool, 2> kTimingNames{{{"judged", true}, {"unjudged", false}}};
// Of the model that a scenario is meant for: true is random.
inline constexpr NameTable<bool, 2> kWeightsNames{{{"trained", false}, {"random", true}}};
inline constexpr NameTable<bool, 2> kAnswersNames{{{"may_differ", false}, {"equal", true}}};

// "" for a value that has no word.
template <typename E, std::size_t N>
[[nodiscard]] constexpr std::string_view NameOf(const NameTable<E, N>& names, E value) {
  for (const auto& [name, named] : names) {
    if (named == value) return name;
  }
  return "";
}

}  // namespace harness
