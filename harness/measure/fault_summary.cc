// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/fault_summary.h"

#include <algorithm>
#include <map>
#include <utility>

namespace harness {
namespace {

constexpr double kSteadyShare = 0.9;
// A rate from fewer tokens is mostly the first step's.
constexpr std::int64_t kLeastTokens = 8;

std::int64_t TokensSeen(const RequestRecord& record, std::int64_t until_ns) {
  std::int64_t tokens = 0;
  for (const ChunkTime& chunk : record.chunks) {
    if (chunk.at_ns <= until_ns) tokens += std::max(chunk.tokens, 1);
  }
  return tokens;
}

// Tokens a second, from the first to the last one seen until then.
std::optional<double> DecodeRate(const RequestRecord& record, std::int64_t until_ns) {
  std::int64_t tokens = 0;
  std::int64_t last = 0;
  for (const ChunkTime& chunk : record.chunks) {
    if (chunk.at_ns > until_ns) break;
    tokens += std::max(chunk.tokens, 1);
    last = chunk.at_ns;
  }
  if (tokens < kLeastTokens || last <= record.first_token_ns) return std::nullopt;
  return static_cast<double>(tokens - 1) /
         (static_cast<double>(last - record.first_token_ns) * 1e-9);
}

std::optional<double> RateBefore(const Injection& injection) {
  std::vector<double> rates;
  for (const RequestRecord& record : injection.struck) {
    if (const auto rate = DecodeRate(record, injection.injected_ns)) rates.push_back(*rate);
  }
  if (rates.empty()) return std::nullopt;
  std::ranges::sort(rates);
  return QuantileOf(rates, 0.5);
}

double Ms(std::int64_t from_ns, std::int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) * 1e-6;
}

}  // namespace

std::vector<const RequestRecord*> InFlightAt(const Injection& injection) {
  std::vector<const RequestRecord*> streams;
  for (const RequestRecord& record : injection.struck) {
    const std::int64_t begun = record.connect_ns != 0 ? record.connect_ns : record.scheduled_ns;
    if (begun != 0 && begun <= injection.injected_ns &&
        record.finished_ns > injection.injected_ns) {
      streams.push_back(&record);
    }
  }
  return streams;
}

std::optional<std::int64_t> FirstTokenAfter(const Injection& injection) {
  std::optional<std::int64_t> first;
  for (const RequestRecord& record : injection.after) {
    if (record.first_token_ns == 0) continue;
    if (!first || record.first_token_ns < *first) first = record.first_token_ns;
  }
  return first;
}

std::optional<std::int64_t> SteadyAfter(const Injection& injection) {
  const auto before = RateBefore(injection);
  if (!before) return std::nullopt;
  std::optional<std::int64_t> steady;
  for (const RequestRecord& record : injection.after) {
    if (!record.ok()) continue;
    const auto rate = DecodeRate(record, record.last_token_ns);
    if (!rate || *rate < kSteadyShare * *before) continue;
    if (!steady || record.last_token_ns < *steady) steady = record.last_token_ns;
  }
  return steady;
}

StageSummary SummariseFaults(std::span<const Injection> injections, std::string scenario,
                             std::string variant) {
  StageSummary summary;
  summary.scenario = std::move(scenario);
  summary.variant = std::move(variant);
  summary.stage = kRecoveryStage;
  summary.round = kAllRounds;
  std::map<std::string, std::vector<double>> samples;
  auto& counts = summary.counts;
  counts = {{"moment_missed", 0},    {"not_recovered", 0},  {"policy_refused", 0},
            {"processes_left", 0},   {"streams_struck", 0}, {"survived", 0},
            {"tokens_lost_total", 0}};
  for (const Injection& injection : injections) {
    const std::int64_t at = injection.injected_ns;
    const auto add = [&](const char* name, const std::optional<std::int64_t>& then) {
      if (then) samples[name].push_back(Ms(at, *then));
    };
    ++summary.requests;
    const auto first_token = FirstTokenAfter(injection);
    if (first_token) {
      ++summary.requests_ok;
      ++summary.outcomes["ok"];
    } else if (injection.policy_refused) {
      ++counts["policy_refused"];
      ++summary.outcomes["policy_refused"];
    } else {
      ++counts["not_recovered"];
      ++summary.outcomes["not_recovered"];
    }
    if (!injection.moment_hit) ++counts["moment_missed"];
    if (injection.survived) ++counts["survived"];
    if (injection.process_left) ++counts["processes_left"];
    add("detection_ms", injection.detected_ns);
    add("healthy_ms", injection.healthy_ns);
    add("recovery_ms", first_token);
    add("steady_ms", SteadyAfter(injection));
    add("vram_released_ms", injection.released_ns);
    if (injection.released_bytes) {
      samples["vram_released_bytes"].push_back(static_cast<double>(*injection.released_bytes));
    }
    std::int64_t lost = 0;
    for (const RequestRecord* record : InFlightAt(injection)) {
      ++counts["streams_struck"];
      ++counts["struck_" + record->outcome];
      if (record->ok()) continue;
      samples["told_ms"].push_back(Ms(at, record->finished_ns));
      lost += TokensSeen(*record, record->finished_ns);
    }
    samples["tokens_lost"].push_back(static_cast<double>(lost));
    counts["tokens_lost_total"] += lost;
  }
  summary.requests_failed = summary.requests - summary.requests_ok;
  for (const auto& [name, values] : samples) summary.distributions[name] = Describe(values);
  return summary;
}

}  // namespace harness
