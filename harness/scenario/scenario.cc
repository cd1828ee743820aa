// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/scenario.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "harness/scenario/names.h"

namespace harness {

std::string_view ToString(ScenarioKind kind) { return NameOf(kKindNames, kind); }
std::string_view ToString(WorkloadApi api) { return NameOf(kApiNames, api); }
std::string_view ToString(CompareOp op) { return NameOf(kOpNames, op); }
std::string_view ToString(JudgedOn on) { return NameOf(kOnNames, on); }
std::string_view ToString(SweepParameter parameter) { return NameOf(kSweepNames, parameter); }
bool HasWords(SweepParameter parameter) { return parameter >= SweepParameter::kSplitMode; }
std::string_view ToString(FaultAction action) { return NameOf(kFaultActionNames, action); }
std::string_view ToString(FaultMoment moment) { return NameOf(kFaultMomentNames, moment); }

bool Holds(double left, CompareOp op, double right) {
  switch (op) {
    case CompareOp::kEq: return left == right;
    case CompareOp::kNe: return left != right;
    case CompareOp::kLt: return left < right;
    case CompareOp::kLe: return left <= right;
    case CompareOp::kGt: return left > right;
    case CompareOp::kGe: return left >= right;
  }
  return false;
}

int MaxOf(const Length& length) {
  struct Visitor {
    int operator()(const FixedLength& l) const { return l.tokens; }
    int operator()(const UniformLength& l) const { return l.to; }
    int operator()(const LognormalLength& l) const { return l.max; }
    int operator()(const ChoiceLength& l) const {
      return l.tokens.empty() ? 0 : *std::max_element(l.tokens.begin(), l.tokens.end());
    }
  };
  return std::visit(Visitor{}, length);
}

std::string Describe(const Length& length) {
  struct Visitor {
    std::string operator()(const FixedLength& l) const { return fmt::format("{}", l.tokens); }
    std::string operator()(const UniformLength& l) const {
      return fmt::format("uniform {}–{}", l.from, l.to);
    }
    std::string operator()(const LognormalLength& l) const {
      return fmt::format("lognormal median {:g} sigma {:g}", l.median, l.sigma);
    }
    std::string operator()(const ChoiceLength& l) const {
      return fmt::format("one of {}", fmt::join(l.tokens, ", "));
    }
  };
  return std::visit(Visitor{}, length);
}

ServerSettings Merge(const ServerSettings& base, const ServerSettings& over) {
  ServerSettings merged = base;
  const auto take = [](auto& to, const auto& from) {
    if (from) to = from;
  };
  take(merged.slots, over.slots);
  take(merged.context_per_slot, over.context_per_slot);
  take(merged.flash_attention, over.flash_attention);
  take(merged.kv_type_k, over.kv_type_k);
  take(merged.kv_type_v, over.kv_type_v);
  take(merged.gpu_layers, over.gpu_layers);
  take(merged.split_mode, over.split_mode);
  take(merged.tensor_split, over.tensor_split);
  take(merged.threads, over.threads);
  take(merged.batch_size, over.batch_size);
  take(merged.ubatch_size, over.ubatch_size);
  merged.args.insert(merged.args.end(), over.args.begin(), over.args.end());
  for (const auto& [name, value] : over.environment) merged.environment[name] = value;
  if (over.page_cache != PageCache::kAsItIs) merged.page_cache = over.page_cache;
  return merged;
}

}  // namespace harness
