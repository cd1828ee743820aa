// SPDX-License-Identifier: EUPL-1.2
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "harness/base/random.h"
#include "harness/measure/history.h"
#include "harness/measure/probability.h"

namespace harness {
namespace {

struct Split {
  std::size_t index = 0;  // first of the right side, relative to the segment
  std::size_t end = 0;    // behind the right side
  double statistic = -1;
};

// Sums of |x_i - x_j| over any two ranges, each in constant time.
class Distances {
 public:
  explicit Distances(std::span<const double> x) : width_(x.size() + 1), sums_(width_ * width_) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      double row = 0;
      for (std::size_t j = 0; j < x.size(); ++j) {
        row += std::abs(x[i] - x[j]);
        sums_[(i + 1) * width_ + j + 1] = sums_[i * width_ + j + 1] + row;
      }
    }
  }
  // Over i in [a, b) and j in [c, d).
  [[nodiscard]] double Between(std::size_t a, std::size_t b, std::size_t c, std::size_t d) const {
    return At(b, d) - At(a, d) - At(b, c) + At(a, c);
  }
  [[nodiscard]] double Within(std::size_t a, std::size_t b) const {
    return Between(a, b, a, b) / 2;
  }

 private:
  [[nodiscard]] double At(std::size_t i, std::size_t j) const { return sums_[i * width_ + j]; }
  std::size_t width_;
  std::vector<double> sums_;
};

// The split with the largest scaled energy distance between its sides (Székely and Rizzo's, with
// exponent 1), both having at least `min_segment` values. The right side may end before the segment
// does: a level that comes back later would otherwise hide the change.
Split BestSplit(std::span<const double> x, std::size_t min_segment) {
  const std::size_t n = x.size();
  Split best;
  if (n < 2 * min_segment) return best;
  const Distances distances(x);
  for (std::size_t split = min_segment; split + min_segment <= n; ++split) {
    const auto a = static_cast<double>(split);
    const double left = 2 * distances.Within(0, split) / (a * (a - 1));
    for (std::size_t end = split + min_segment; end <= n; ++end) {
      const auto b = static_cast<double>(end - split);
      const double between = 2 * distances.Between(0, split, split, end) / (a * b);
      const double right = 2 * distances.Within(split, end) / (b * (b - 1));
      const double statistic = a * b / (a + b) * (between - left - right);
      if (statistic > best.statistic) best = {split, end, statistic};
    }
  }
  return best;
}

// How often a shuffled segment splits as well as this one. Stops as soon as it cannot be
// significant any more: for most segments that is after a handful of shuffles.
double PermutationP(std::span<const double> x, const Split& split, const ChangePointConfig& config,
                    Random& random) {
  std::vector<double> shuffled(x.begin(), x.end());
  const double total = config.permutations + 1;
  int as_good = 0;
  for (int i = 0; i < config.permutations; ++i) {
    random.Shuffle(std::span(shuffled));
    if (BestSplit(shuffled, static_cast<std::size_t>(config.min_segment)).statistic >=
        split.statistic) {
      ++as_good;
    }
    if ((as_good + 1) / total > config.p_value) break;
  }
  return (as_good + 1) / total;
}

struct Sides {
  double before = 0;
  double after = 0;
  double p_value = 1;
};

// Student's t over the values up to the neighbouring change points, one window at most.
Sides Compare(std::span<const double> logs, std::size_t from, std::size_t at, std::size_t to) {
  const auto mean = [&](std::size_t a, std::size_t b) {
    return std::accumulate(logs.begin() + static_cast<std::ptrdiff_t>(a),
                           logs.begin() + static_cast<std::ptrdiff_t>(b), 0.0) /
           static_cast<double>(b - a);
  };
  const auto squares = [&](std::size_t a, std::size_t b, double m) {
    double sum = 0;
    for (std::size_t i = a; i < b; ++i) sum += (logs[i] - m) * (logs[i] - m);
    return sum;
  };
  Sides sides{mean(from, at), mean(at, to), 1};
  const auto n = static_cast<double>(at - from);
  const auto m = static_cast<double>(to - at);
  const double degrees = n + m - 2;
  if (degrees < 1) return sides;
  const double pooled = (squares(from, at, sides.before) + squares(at, to, sides.after)) / degrees;
  const double difference = std::abs(sides.after - sides.before);
  const double error = std::sqrt(pooled * (1 / n + 1 / m));
  sides.p_value = error > 0 ? 2 * StudentCdf(-difference / error, degrees) : difference > 0 ? 0 : 1;
  return sides;
}

// A split that Student's t finds this unlikely needs no shuffling. Three nights alone can hardly
// pass the permutation test: in one of 400 shuffles of 50 nights those three stand together by
// chance. That the best of all places was taken is worth a factor of 190 with 50 values, 46 with
// 20, 9 with 10 (simulated, normal noise): n squared over 8 is more than each.
bool IsPlain(std::span<const double> x, const Split& split, const ChangePointConfig& config) {
  const auto n = static_cast<double>(x.size());
  return Compare(x, 0, split.index, split.end).p_value <= config.p_value / (n * n / 8);
}

// Splits hierarchically; adds the found places, relative to the whole series.
void Bisect(std::span<const double> x, std::size_t offset, const ChangePointConfig& config,
            Random& random, std::set<std::size_t>& found) {
  const Split split = BestSplit(x, static_cast<std::size_t>(config.min_segment));
  if (split.statistic <= 0) return;
  if (!IsPlain(x, split, config) && PermutationP(x, split, config, random) > config.p_value) return;
  found.insert(offset + split.index);
  Bisect(x.first(split.index), offset, config, random, found);
  Bisect(x.subspan(split.index), offset + split.index, config, random, found);
}

// Drops the weakest place until each stands on its own between its neighbours.
std::vector<ChangePoint> Confirm(std::span<const double> logs, std::set<std::size_t> places,
                                 const ChangePointConfig& config) {
  const auto window = static_cast<std::size_t>(config.window);
  for (;;) {
    std::vector<ChangePoint> points;
    std::optional<std::size_t> weakest;
    double worst = -1;
    for (auto it = places.begin(); it != places.end(); ++it) {
      const std::size_t previous = it == places.begin() ? 0 : *std::prev(it);
      const std::size_t next = std::next(it) == places.end() ? logs.size() : *std::next(it);
      const std::size_t from = std::max(previous, *it > window ? *it - window : 0);
      const std::size_t to = std::min(next, *it + window);
      const Sides sides = Compare(logs, from, *it, to);
      points.push_back({*it, std::exp(sides.before), std::exp(sides.after), sides.p_value});
      const double size = std::abs(sides.after - sides.before);
      const bool stands = sides.p_value <= config.p_value && size >= std::log1p(config.magnitude);
      // A change that is too small goes before one that is merely uncertain.
      const double weakness = size < std::log1p(config.magnitude) ? 2 - size : sides.p_value;
      if (!stands && weakness > worst) {
        worst = weakness;
        weakest = *it;
      }
    }
    if (!weakest) return points;
    places.erase(*weakest);
  }
}

}  // namespace

std::vector<ChangePoint> FindChangePoints(std::span<const double> series,
                                          const ChangePointConfig& config) {
  std::vector<double> logs;
  for (const double value : series) {
    if (!(value > 0) || !std::isfinite(value)) std::abort();
    logs.push_back(std::log(value));
  }
  const auto window = static_cast<std::size_t>(config.window);
  Random random(config.seed);
  std::set<std::size_t> found;
  const std::span<const double> all(logs);
  for (std::size_t start = 0; start == 0 || start + window / 2 < logs.size(); start += window / 2) {
    Bisect(all.subspan(start, std::min(window, logs.size() - start)), start, config, random, found);
  }
  // The newest values get a window of their own: a night must not wait until a grid line passes.
  if (logs.size() > window) {
    Bisect(all.last(window), logs.size() - window, config, random, found);
  }
  return Confirm(logs, std::move(found), config);
}

}  // namespace harness
