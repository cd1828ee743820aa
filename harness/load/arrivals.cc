// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/arrivals.h"

#include <algorithm>
#include <cmath>

namespace harness {

Arrivals::Arrivals(const OpenLoop& plan)
    : plan_(plan), random_(Random(plan.seed).Fork("arrivals")) {}

std::optional<std::chrono::nanoseconds> Arrivals::Next() {
  const std::int64_t index = count_++;
  if (plan_.process == ArrivalProcess::kTrace) {
    if (index >= static_cast<std::int64_t>(plan_.trace.size())) return std::nullopt;
    return plan_.trace[static_cast<std::size_t>(index)].at;
  }
  const double mean = 1.0 / plan_.rate_per_s;
  switch (plan_.process) {
    // Multiplied, not summed: a million additions would drift.
    case ArrivalProcess::kConstant: at_s_ = static_cast<double>(index) * mean; break;
    case ArrivalProcess::kPoisson: at_s_ += random_.Exponential(mean); break;
    case ArrivalProcess::kGamma: at_s_ += random_.Gamma(plan_.shape, mean / plan_.shape); break;
    case ArrivalProcess::kTrace: break;
  }
  return std::chrono::nanoseconds(std::llround(at_s_ * 1e9));
}

int Draw(const Length& length, Random& random) {
  struct Visitor {
    Random& random;
    int operator()(const FixedLength& l) const { return l.tokens; }
    int operator()(const UniformLength& l) const {
      return static_cast<int>(random.UniformInt(l.from, l.to));
    }
    int operator()(const LognormalLength& l) const {
      const double drawn = std::round(random.LogNormal(l.median, l.sigma));
      return static_cast<int>(std::clamp(drawn, 1.0, static_cast<double>(l.max)));
    }
    int operator()(const ChoiceLength& l) const {
      const auto last = static_cast<std::int64_t>(l.tokens.size()) - 1;
      return l.tokens[static_cast<std::size_t>(random.UniformInt(0, last))];
    }
  };
  return std::visit(Visitor{random}, length);
}

}  // namespace harness
