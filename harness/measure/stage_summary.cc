// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/stage_summary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "harness/measure/probability.h"
#include "harness/measure/request_metrics.h"
#include "harness/measure/steady_window.h"

namespace harness {
namespace {

using Samples = std::map<std::string, std::vector<double>>;

struct NamedMetric {
  const char* name;
  std::optional<double> RequestMetrics::*value;
};
constexpr std::array kOfOkRequests = {
    NamedMetric{"ttft_ms", &RequestMetrics::ttft_ms},
    NamedMetric{"ttft_sent_ms", &RequestMetrics::ttft_sent_ms},
    NamedMetric{"ttft_answer_ms", &RequestMetrics::ttft_answer_ms},
    NamedMetric{"ttfb_ms", &RequestMetrics::ttfb_ms},
    NamedMetric{"connect_ms", &RequestMetrics::connect_ms},
    NamedMetric{"tpot_ms", &RequestMetrics::tpot_ms},
    NamedMetric{"decode_tokens_per_s", &RequestMetrics::decode_tokens_per_s},
    NamedMetric{"prefill_tokens_per_s", &RequestMetrics::prefill_tokens_per_s},
    NamedMetric{"prefill_client_tokens_per_s", &RequestMetrics::prefill_client_tokens_per_s},
    NamedMetric{"e2e_ms", &RequestMetrics::e2e_ms},
    NamedMetric{"e2e_sent_ms", &RequestMetrics::e2e_sent_ms},
};

void Collect(const RequestRecord& record, Samples& samples) {
  const RequestMetrics metrics = Measure(record);
  // A late send is the instrument's fault whatever the server answered.
  if (metrics.schedule_lag_ms) samples["schedule_lag_ms"].push_back(*metrics.schedule_lag_ms);
  if (!record.ok()) return;
  for (const NamedMetric& metric : kOfOkRequests) {
    if (const auto& value = metrics.*metric.value) samples[metric.name].push_back(*value);
  }
  auto& gaps = samples["icl_ms"];
  const std::vector<double> more = InterChunkGapsMs(record);
  gaps.insert(gaps.end(), more.begin(), more.end());
  samples["output_tokens"].push_back(record.tokens);
  if (record.prompt_tokens >= 0) samples["prompt_tokens"].push_back(record.prompt_tokens);
}

void SetDistributions(std::span<const RequestRecord> records, StageSummary& summary) {
  Samples samples;
  for (const RequestRecord& record : records) Collect(record, samples);
  for (const auto& [name, values] : samples) {
    if (!values.empty()) summary.distributions[name] = Describe(values);
  }
}

bool WithinLimits(const RequestRecord& record, const LatencyLimits& limits) {
  if (!record.ok()) return false;
  const RequestMetrics metrics = Measure(record);
  // No first token means no answer. A single token has no interval that could be too long.
  const auto within = [](const std::optional<double>& value, const std::optional<double>& limit,
                         bool when_undefined) {
    return !limit || (value ? *value <= *limit : when_undefined);
  };
  return within(metrics.ttft_ms, limits.ttft_ms, false) &&
         within(metrics.tpot_ms, limits.tpot_ms, true) &&
         within(metrics.e2e_ms, limits.e2e_ms, false);
}

void Count(std::span<const RequestRecord> records, const StagePlan& plan, StageSummary& summary) {
  auto& counts = summary.counts;
  counts = {{"output_tokens_total", 0},
            {"prompt_tokens_total", 0},
            {"length_mismatches", 0},
            {"cached_requests", 0},
            {"usage_missing", 0}};
  if (plan.limits.any()) counts["good_requests"] = 0;
  for (const RequestRecord& record : records) {
    ++summary.outcomes[record.outcome];
    if (!record.ok()) continue;
    ++summary.requests_ok;
    ++summary.token_sources[record.token_source];
    counts["output_tokens_total"] += record.tokens;
    counts["prompt_tokens_total"] += std::max(record.prompt_tokens, 0);
    if (record.prompt_tokens < 0) ++counts["usage_missing"];
    if (plan.fixed_output_tokens > 0 && record.tokens != plan.fixed_output_tokens) {
      ++counts["length_mismatches"];
    }
    if (!plan.caching_expected && record.cached_tokens > 0) ++counts["cached_requests"];
    if (plan.limits.any() && WithinLimits(record, plan.limits)) ++counts["good_requests"];
  }
  summary.requests = static_cast<std::int64_t>(records.size());
  summary.requests_failed = summary.requests - summary.requests_ok;
}

// Jain's index over the decode rates of the answers: 1 when all streams were served alike, 1/n when
// one got everything.
std::optional<double> Fairness(std::span<const RequestRecord> records) {
  double sum = 0;
  double squares = 0;
  double n = 0;
  for (const RequestRecord& record : records) {
    const auto rate = Measure(record).decode_tokens_per_s;
    if (!record.ok() || !rate) continue;
    sum += *rate;
    squares += *rate * *rate;
    ++n;
  }
  if (n < 2) return std::nullopt;
  return sum * sum / (n * squares);
}

std::int64_t LargestConcurrency(std::span<const RequestRecord> records) {
  std::vector<std::pair<std::int64_t, int>> changes;
  for (const RequestRecord& record : records) {
    if (record.sent_ns == 0 || record.finished_ns == 0) continue;
    changes.emplace_back(record.sent_ns, 1);
    changes.emplace_back(record.finished_ns, -1);
  }
  std::ranges::sort(changes);  // at equal times an end comes first
  std::int64_t now = 0;
  std::int64_t largest = 0;
  for (const auto& [at, change] : changes) largest = std::max(largest, now += change);
  return largest;
}

void SetRates(std::span<const RequestRecord> records, StageSummary& summary) {
  const SteadyWindow& window = summary.window;
  const double seconds = window.seconds();
  if (seconds <= 0) return;
  const auto within = [&](std::int64_t at) { return at > window.start_ns && at <= window.end_ns; };
  // The first arrival is due when the window opens; the one that is due when it closes is outside.
  const auto due = [&](std::int64_t at) { return at >= window.start_ns && at < window.end_ns; };
  double tokens = 0;
  double busy = 0;
  double scheduled = 0;
  double sent = 0;
  double completed = 0;
  for (const RequestRecord& record : records) {
    tokens += TokensIn(record, window);
    busy += SecondsIn(record, window);
    scheduled += due(record.scheduled_ns) ? 1 : 0;
    // A connection that was refused did leave in time.
    sent += within(record.sent_ns != 0 ? record.sent_ns : record.connect_ns) ? 1 : 0;
    completed += record.ok() && within(record.finished_ns) ? 1 : 0;
  }
  auto& values = summary.values;
  values["window_s"] = seconds;
  values["throughput_tokens_per_s"] = tokens / seconds;
  values["concurrency_mean"] = busy / seconds;
  values["offered_requests_per_s"] = scheduled / seconds;
  values["sent_requests_per_s"] = sent / seconds;
  values["completed_requests_per_s"] = completed / seconds;
}

}  // namespace

StageSummary Summarise(std::span<const RequestRecord> records, const StagePlan& plan) {
  StageSummary summary;
  if (!records.empty()) {
    summary.scenario = records.front().scenario;
    summary.variant = records.front().variant;
    summary.round = records.front().round;
    summary.stage = records.front().stage;
  }
  summary.window = FindSteadyWindow(records, plan);
  Count(records, plan, summary);
  SetDistributions(records, summary);
  SetRates(records, summary);
  if (summary.requests > 0 && plan.limits.any()) {
    summary.values["goodput_ratio"] = static_cast<double>(summary.counts["good_requests"]) /
                                      static_cast<double>(summary.requests);
  }
  summary.counts["concurrency_max"] = LargestConcurrency(records);
  if (const auto fairness = Fairness(records)) summary.values["fairness_jain"] = *fairness;
  return summary;
}

}  // namespace harness
