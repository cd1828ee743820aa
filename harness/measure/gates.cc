// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/gates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "harness/measure/clock_reconciliation.h"
#include "harness/measure/stage_verdict.h"

namespace harness {
namespace {

// Waiting that doubles within one window is growing, not noise.
constexpr double kGrowth = 2.0;
constexpr double kKeepingUp = 0.95;
constexpr std::size_t kQuarter = 8;

constexpr std::string_view kScheduleLag = "schedule_lag_ms.p99";
constexpr std::string_view kSentRate = "sent_rate_shortfall";
constexpr std::string_view kClientCpu = "client_cpu_share";
constexpr std::string_view kClockResidual = "clock_residual_share";
constexpr std::string_view kTimingGates[] = {kScheduleLag, kSentRate, kClientCpu, kClockResidual};

class Gates {
 public:
  Gates(const StageSummary& summary, const GateInput& input) : summary_(summary), input_(input) {}

  // `holds` false is invalid, or a warning where no judged number depends on it.
  void Add(std::string_view metric, double observed, double limit, bool holds, std::string reason) {
    Verdict verdict = VerdictAtMost(summary_, VerdictKind::kGate, std::string(metric), observed,
                                    limit, std::move(reason));
    const bool matters = input_.timing_judged || !IsTimingGate(verdict);
    verdict.finding = holds ? Finding::kPass : matters ? Finding::kInvalid : Finding::kWarning;
    verdicts_.push_back(std::move(verdict));
  }
  std::vector<Verdict> Take() { return std::move(verdicts_); }

 private:
  const StageSummary& summary_;
  const GateInput& input_;
  std::vector<Verdict> verdicts_;
};

double Value(const StageSummary& summary, std::string_view path) {
  const auto found = FindStatistic(summary, path);
  return found ? found->value : 0.0;
}

void JudgeSchedule(const StageSummary& summary, const GateInput& input, const GateLimits& limits,
                   Gates& gates) {
  if (!input.open_loop) return;
  const double lag = Value(summary, kScheduleLag);
  const double limit = std::max(limits.schedule_lag_p99_ms, 0.02 * Value(summary, "ttft_ms.p50"));
  gates.Add(kScheduleLag, lag, limit, lag <= limit,
            fmt::format("requests left up to {:.3g} ms after they were due (p99)", lag));
  const double offered = Value(summary, "offered_requests_per_s");
  if (offered <= 0) return;
  const double shortfall = 1 - Value(summary, "sent_requests_per_s") / offered;
  gates.Add(kSentRate, shortfall, limits.sent_rate_shortfall,
            shortfall <= limits.sent_rate_shortfall,
            fmt::format("{:.1f} % of the requests due in the window were not sent in it",
                        shortfall * 100));
}

void JudgeClocks(std::span<const RequestRecord> records, const GateLimits& limits, Gates& gates) {
  const StageClocks clocks = ReconcileStage(records, std::nullopt, std::nullopt);
  const Quantile* median = clocks.decode_residual_ms.Find(0.5);
  if (median == nullptr) return;
  const bool small = std::abs(median->value) <= limits.clock_residual_min_ms;
  gates.Add(kClockResidual, clocks.decode_residual_share, limits.clock_residual_share,
            small || clocks.decode_residual_share <= limits.clock_residual_share,
            fmt::format("client and server disagree on the decode time by {:.2f} % (median "
                        "{:+.3g} ms a request)",
                        clocks.decode_residual_share * 100, median->value));
}

}  // namespace

std::vector<Verdict> JudgeGates(const StageSummary& summary, std::span<const RequestRecord> records,
                                const GateInput& input, const GateLimits& limits) {
  Gates gates(summary, input);
  JudgeSchedule(summary, input, limits, gates);
  if (input.busiest_thread_share) {
    gates.Add(kClientCpu, *input.busiest_thread_share, limits.client_cpu_share,
              *input.busiest_thread_share <= limits.client_cpu_share,
              fmt::format("the busiest load thread used {:.0f} % of its core",
                          *input.busiest_thread_share * 100));
  }
  JudgeClocks(records, limits, gates);
  if (!input.caching_expected) {
    const double cached = Value(summary, "cached_requests");
    gates.Add("cached_requests", cached, 0, cached == 0,
              fmt::format("{:.0f} requests took prompt tokens from the cache", cached));
  }
  if (input.fixed_output_tokens > 0) {
    const double mismatches = Value(summary, "length_mismatches");
    gates.Add("length_mismatches", mismatches, 0, mismatches == 0,
              fmt::format("{:.0f} answers did not have the {} tokens that were asked for",
                          mismatches, input.fixed_output_tokens));
  }
  return gates.Take();
}

bool IsTimingGate(const Verdict& gate) {
  return std::ranges::find(kTimingGates, gate.metric) != std::end(kTimingGates);
}

Saturation DetectSaturation(const StageSummary& summary, std::span<const RequestRecord> records) {
  Saturation result;
  const double offered = Value(summary, "offered_requests_per_s");
  if (offered > 0) result.completed_share = Value(summary, "completed_requests_per_s") / offered;
  std::vector<std::pair<std::int64_t, double>> waits;
  for (const RequestRecord& record : records) {
    if (record.ok() && record.first_token_ns != 0) {
      waits.emplace_back(record.scheduled_ns,
                         static_cast<double>(record.first_token_ns - record.scheduled_ns));
    }
  }
  std::ranges::sort(waits);
  const std::size_t quarter = waits.size() / 4;
  if (quarter >= kQuarter) {
    const auto median = [&](std::size_t from) {
      std::vector<double> part;
      for (std::size_t i = from; i < from + quarter; ++i) part.push_back(waits[i].second);
      std::ranges::sort(part);
      return QuantileOf(part, 0.5);
    };
    const double first = median(0);
    if (first > 0) result.ttft_growth = median(waits.size() - quarter) / first;
  }
  // Requests in flight at the end of a short window complete outside it, so falling behind alone
  // needs waiting that grows; far behind is enough by itself.
  const bool behind = result.completed_share < kKeepingUp;
  const bool growing = result.ttft_growth > kGrowth;
  result.saturated = (behind && growing) || result.completed_share < 0.5 * kKeepingUp;
  return result;
}

}  // namespace harness
