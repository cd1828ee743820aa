// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace harness {

enum class VerdictKind {
  kExpectation,  // of a scenario's `expect`
  kGate,         // of the instrument: was this measurement valid?
  kComparison,   // A/B
  kChangePoint,  // in a history
  kFence,        // one value far outside its own history
};
[[nodiscard]] std::string_view ToString(VerdictKind kind);

enum class Finding {
  kPass,
  kFail,
  kNotJudged,  // meant for other targets, or its timing is declared as unjudged
  kInvalid,    // the instrument's own error is too large for this statistic
  kRegression,
  kImprovement,
  kNoChange,
  kInsufficientData,
  kWarning,  // asks for a confirming run, fails nothing
};
[[nodiscard]] std::string_view ToString(Finding finding);

// One judgement, computed once and written as a result line. Reports print it and compute nothing.
struct Verdict {
  VerdictKind kind = VerdictKind::kExpectation;
  Finding finding = Finding::kPass;
  std::string scenario;
  std::string variant;  // comparisons: "b against a"
  std::string stage;
  std::string metric;              // "ttft_ms.p99"
  std::string op;                  // expectations: "<="
  std::optional<double> limit;     // what was asked for
  std::optional<double> observed;  // comparisons: the ratio b/a
  std::optional<double> low;       // 95 % interval of `observed`
  std::optional<double> high;
  std::optional<double> error_bound;      // of the instrument, in the metric's unit
  std::optional<double> smallest_effect;  // comparisons: what could have been seen, 0.03 = 3 %
  std::optional<double> p_value;          // after Holm's correction where there are several
  std::int64_t n = 0;                     // samples, or rounds for a comparison
  std::string reason;                     // one line for a person
};

}  // namespace harness
