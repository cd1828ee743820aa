// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

namespace harness {
namespace {

double ErrorMs(std::int64_t seen_ns, std::int64_t true_ns) {
  return static_cast<double>(seen_ns - true_ns) / 1e6;
}

// A bound holds in both directions.
double P99(const Distribution& errors) {
  const Quantile* p99 = errors.Find(0.99);
  return p99 == nullptr ? 0.0 : std::max(std::abs(p99->value), std::abs(errors.min));
}

double Median(const StageSummary& summary, const char* name) {
  const auto it = summary.distributions.find(name);
  if (it == summary.distributions.end()) return 0;
  const Quantile* median = it->second.Find(0.5);
  return median == nullptr ? 0.0 : median->value;
}

}  // namespace

CalibrationPoint Calibrate(int concurrency, std::span<const RequestRecord> records,
                           std::span<const StreamTruth> truth, double client_cpu_seconds) {
  if (records.size() != truth.size()) std::abort();
  CalibrationPoint point;
  point.concurrency = concurrency;
  point.requests = static_cast<std::int64_t>(records.size());
  std::vector<double> first;
  std::vector<double> all;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& seen = records[i].chunks;
    const auto& sent = truth[i].sent_ns;
    if (!records[i].ok() || seen.size() != sent.size() || seen.empty()) {
      ++point.count_mismatches;
      continue;
    }
    first.push_back(ErrorMs(records[i].first_token_ns, sent.front()));
    for (std::size_t k = 0; k < seen.size(); ++k) all.push_back(ErrorMs(seen[k].at_ns, sent[k]));
  }
  point.ttft_error_ms = Describe(first);
  point.chunk_error_ms = Describe(all);
  point.chunks = point.chunk_error_ms.n;
  if (point.chunks > 0) {
    point.cpu_us_per_chunk = client_cpu_seconds * 1e6 / static_cast<double>(point.chunks);
  }
  return point;
}

const CalibrationPoint* Calibration::For(std::int64_t concurrency) const {
  for (const CalibrationPoint& point : points) {
    if (point.concurrency >= concurrency) return point.usable() ? &point : nullptr;
  }
  return nullptr;
}

std::optional<double> ErrorBound(const Calibration& calibration, const StageSummary& summary,
                                 std::string_view statistic) {
  const auto streams = summary.counts.find("concurrency_max");
  if (streams == summary.counts.end()) return std::nullopt;
  const CalibrationPoint* point = calibration.For(streams->second);
  const auto found = FindStatistic(summary, statistic);
  if (point == nullptr || !found) return std::nullopt;
  const std::string name(statistic.substr(0, statistic.find('.')));
  const double first = P99(point->ttft_error_ms);
  const double chunk = P99(point->chunk_error_ms);
  const double intervals = Median(summary, "output_tokens") - 1;
  if (statistic.ends_with(".n")) return std::nullopt;
  if (name.starts_with("ttft_") || name == "ttfb_ms") return first;
  if (name == "e2e_ms" || name == "e2e_sent_ms" || name == "icl_ms") return chunk;
  if (name == "tpot_ms" || name == "itl_ms") {
    return intervals > 0 ? std::optional(chunk / intervals) : std::nullopt;
  }
  if (name == "decode_tokens_per_s") {
    const double span_ms = intervals * 1e3 / found->value;
    return span_ms > 0 ? std::optional(found->value * chunk / span_ms) : std::nullopt;
  }
  // Proportional to the decode rate.
  if (name == "bandwidth_utilisation_ratio") {
    const auto rate = FindStatistic(summary, "decode_tokens_per_s.p50");
    const auto bound = ErrorBound(calibration, summary, "decode_tokens_per_s.p50");
    return rate && bound ? std::optional(*bound / rate->value * found->value) : std::nullopt;
  }
  if (name == "prefill_client_tokens_per_s") {
    const double ttft = Median(summary, "ttft_sent_ms");
    return ttft > 0 ? std::optional(found->value * first / ttft) : std::nullopt;
  }
  if (name == "throughput_tokens_per_s" || name == "completed_requests_per_s") {
    const double window_ms = summary.window.seconds() * 1e3;
    return window_ms > 0 ? std::optional(found->value * chunk / window_ms) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace harness
