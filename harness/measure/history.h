// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/measure/comparison.h"
#include "harness/measure/verdict.h"

namespace harness {

// A place in a series from which on its level is another.
struct ChangePoint {
  std::size_t index = 0;  // the first value of the new level
  double before = 0;      // mean of the levels on both sides, up to the neighbouring change points
  double after = 0;
  double p_value = 1;
  [[nodiscard]] double ratio() const { return before != 0 ? after / before : 0; }
};

struct ChangePointConfig {
  int window = 50;          // of values looked at together; windows overlap by half
  double p_value = 0.001;   // of the permutation-calibrated test
  double magnitude = 0.05;  // smaller changes of level are left out
  int min_segment = 3;      // values on each side
  int permutations = 1'999;
  std::uint64_t seed = 20'26;
};

// E-divisive means (Matteson and James, 2014) with a permutation test, or Student's t where that is
// certain beyond all places of the split, over a series of positive values in the order of time.
// Rising indices. The same series gives the same answer.
[[nodiscard]] std::vector<ChangePoint> FindChangePoints(std::span<const double> series,
                                                        const ChangePointConfig& config = {});

// An early warning for the newest value: outside the quartiles of its own history by more than
// three times their distance. It fails nothing; it asks for a confirming A/B.
struct Fence {
  double low = 0;
  double high = 0;
  [[nodiscard]] bool contains(double value) const { return value >= low && value <= high; }
};
// nullopt with fewer than 8 values.
[[nodiscard]] std::optional<Fence> FenceOf(std::span<const double> history);

// One night of a series.
struct HistoryPoint {
  double value = 0;
  std::string run_id;
  // Covariates by name ("server_build", "driver"): suspects when a change falls on theirs.
  std::vector<std::pair<std::string, std::string>> covariates;
};

// Covariates that differ between `index` and the point before it, the rarest change first: a build
// that is new every night explains little.
[[nodiscard]] std::vector<std::string> Suspects(std::span<const HistoryPoint> history,
                                                std::size_t index);

// Covariates that changed at one of the two points on either side of `index`, not at it, and change
// seldom: noise can move a change point by a night or two away from its cause.
[[nodiscard]] std::vector<std::string> NearbySuspects(std::span<const HistoryPoint> history,
                                                      std::size_t index);

// Where the newest value of a series stands.
enum class SeriesState {
  kShort,        // fewer than 8 values: no fence, hardly a change point
  kSteady,       //
  kWarning,      // the newest value lies outside the fence of its level
  kRegression,   // the last change point is one, and at most kRecent values old
  kImprovement,  // the same
};
[[nodiscard]] std::string_view ToString(SeriesState state);
inline constexpr std::size_t kRecent = 14;

// Everything that is said about one series.
struct SeriesJudgement {
  struct Change {
    ChangePoint point;
    Finding finding = Finding::kRegression;
    std::vector<std::string> suspects;  // changed that night
    std::vector<std::string> nearby;    // changed within two nights of it
  };
  std::vector<Change> changes;
  std::optional<Fence> fence;  // of the current level, the newest value left out
  SeriesState state = SeriesState::kShort;
  std::vector<Verdict> verdicts;  // one for each change, in order; then the fence's warning
};
[[nodiscard]] SeriesJudgement JudgeSeries(std::span<const HistoryPoint> history,
                                          std::string_view metric,
                                          const ChangePointConfig& config = {});

// The verdicts of JudgeSeries() alone: one for each change point, and a warning when the newest
// value lies outside the fence of the current level.
[[nodiscard]] std::vector<Verdict> JudgeHistory(std::span<const HistoryPoint> history,
                                                std::string_view metric,
                                                const ChangePointConfig& config = {});

}  // namespace harness
