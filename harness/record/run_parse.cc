// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_parse.h"

#include <array>
#include <charconv>
#include <string>

#include "harness/base/wall_clock.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

using nlohmann::json;

std::optional<double> Real(const json& object, std::string_view key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

const json& Object(const json& object, std::string_view key) {
  static const json kEmpty = json::object();
  const auto it = object.find(key);
  return it != object.end() && it->is_object() ? *it : kEmpty;
}

const json& Array(const json& object, std::string_view key) {
  static const json kEmpty = json::array();
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? *it : kEmpty;
}

int Int(const json& object, std::string_view key, int fallback) {
  return static_cast<int>(IntOr(object, key, fallback));
}

template <typename Enum, std::size_t N>
Enum ByName(const std::array<Enum, N>& all, std::string_view name, Enum fallback) {
  for (const Enum value : all) {
    if (ToString(value) == name) return value;
  }
  return fallback;
}

std::optional<Quantile> ParseQuantile(std::string_view name, const json& value) {
  if (!name.starts_with("p") || !value.is_object()) return std::nullopt;
  double percent = 0;
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), percent);
  const auto number = Real(value, "value");
  if (error != std::errc() || end != name.data() + name.size() || !number) return std::nullopt;
  Quantile quantile;
  quantile.p = percent / 100;
  quantile.value = *number;
  quantile.low = Real(value, "low");
  quantile.high = Real(value, "high");
  const auto supported = value.find("supported");
  quantile.supported = supported != value.end() && supported->is_boolean() && *supported == true;
  return quantile;
}

Distribution ParseDistribution(const json& object) {
  Distribution d;
  d.n = IntOr(object, "n", 0);
  d.mean = Real(object, "mean").value_or(0);
  d.sd = Real(object, "sd").value_or(0);
  d.min = Real(object, "min").value_or(0);
  d.max = Real(object, "max").value_or(0);
  for (const auto& [name, value] : object.items()) {
    if (const auto quantile = ParseQuantile(name, value)) d.quantiles.push_back(*quantile);
  }
  return d;
}

std::map<std::string, std::int64_t> Counts(const json& object) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& [name, value] : object.items()) {
    if (value.is_number_integer()) counts[name] = value.get<std::int64_t>();
  }
  return counts;
}

}  // namespace

RequestRecord ParseRequest(const json& line) {
  RequestRecord r;
  r.scenario = TextOr(line, "scenario");
  r.variant = TextOr(line, "variant");
  r.round = Int(line, "round", 0);
  r.stage = TextOr(line, "stage");
  r.index = IntOr(line, "index", 0);
  r.outcome = TextOr(line, "outcome");
  r.error = TextOr(line, "error");
  r.http_status = Int(line, "http_status", 0);
  r.finish_reason = TextOr(line, "finish_reason");
  r.tokens = Int(line, "tokens", 0);
  r.token_source = TextOr(line, "token_source");
  r.prompt_tokens = Int(line, "prompt_tokens", -1);
  r.cached_tokens = Int(line, "cached_tokens", -1);
  r.scheduled_ns = IntOr(line, "scheduled_ns", 0);
  r.connect_ns = IntOr(line, "connect_ns", 0);
  r.sent_ns = IntOr(line, "sent_ns", 0);
  r.first_byte_ns = IntOr(line, "first_byte_ns", 0);
  r.first_token_ns = IntOr(line, "first_token_ns", 0);
  r.first_answer_ns = IntOr(line, "first_answer_ns", 0);
  r.last_token_ns = IntOr(line, "last_token_ns", 0);
  r.finished_ns = IntOr(line, "finished_ns", 0);
  for (const json& chunk : Array(line, "chunks")) {
    if (!chunk.is_array() || chunk.size() != 2 || !chunk[0].is_number_integer() ||
        !chunk[1].is_number_integer()) {
      continue;
    }
    const auto at = chunk[0].get<std::int64_t>();
    const bool coalesced = !r.chunks.empty() && r.chunks.back().at_ns == at;
    r.chunks.push_back({at, chunk[1].get<std::int32_t>(), coalesced});
  }
  if (const json& t = Object(line, "timings"); !t.empty()) {
    r.timings =
        rocm::Timings{Int(t, "cache_n", 0), Int(t, "prompt_n", 0), Real(t, "prompt_ms").value_or(0),
                      Int(t, "predicted_n", 0), Real(t, "predicted_ms").value_or(0)};
  }
  r.text_sha256 = TextOr(line, "text_sha256");
  r.degeneration = ParseDegeneration(TextOr(line, "degenerate"));
  for (const json& id : Array(line, "ids")) {
    if (id.is_number_integer()) r.ids.push_back(id.get<std::int32_t>());
  }
  return r;
}

StageSummary ParseSummary(const json& line) {
  StageSummary s;
  s.scenario = TextOr(line, "scenario");
  s.variant = TextOr(line, "variant");
  s.round = Int(line, "round", 0);
  s.stage = TextOr(line, "stage");
  s.window = {IntOr(Object(line, "window"), "start_ns", 0),
              IntOr(Object(line, "window"), "end_ns", 0)};
  s.requests = IntOr(line, "requests", 0);
  s.requests_ok = IntOr(line, "requests_ok", 0);
  s.requests_failed = IntOr(line, "requests_failed", 0);
  s.outcomes = Counts(Object(line, "outcomes"));
  s.token_sources = Counts(Object(line, "token_sources"));
  s.counts = Counts(Object(line, "counts"));
  for (const auto& [name, value] : Object(line, "metrics").items()) {
    if (value.is_object()) s.distributions[name] = ParseDistribution(value);
  }
  for (const auto& [name, value] : Object(line, "values").items()) {
    if (value.is_number()) s.values[name] = value.get<double>();
  }
  for (const auto& [path, over] : Object(line, "rounds").items()) {
    if (!over.is_object()) continue;
    s.rounds[path] = {Int(over, "n", 0),
                      Real(over, "mean").value_or(0),
                      Real(over, "sd").value_or(0),
                      Real(over, "low"),
                      Real(over, "high"),
                      Real(over, "smallest_effect")};
  }
  return s;
}

Verdict ParseVerdict(const json& line) {
  using enum VerdictKind;
  using enum Finding;
  Verdict v;
  v.kind = ByName(std::array{kExpectation, kGate, kComparison, kChangePoint, kFence},
                  TextOr(line, "kind"), kExpectation);
  v.finding = ByName(std::array{kPass, kFail, kNotJudged, kInvalid, kRegression, kImprovement,
                                kNoChange, kInsufficientData, kWarning},
                     TextOr(line, "finding"), kNotJudged);
  v.scenario = TextOr(line, "scenario");
  v.variant = TextOr(line, "variant");
  v.stage = TextOr(line, "stage");
  v.metric = TextOr(line, "metric");
  v.op = TextOr(line, "op");
  v.limit = Real(line, "limit");
  v.observed = Real(line, "observed");
  v.low = Real(line, "low");
  v.high = Real(line, "high");
  v.error_bound = Real(line, "error_bound");
  v.smallest_effect = Real(line, "smallest_effect");
  v.p_value = Real(line, "p_value");
  v.n = IntOr(line, "n", 0);
  v.reason = TextOr(line, "reason");
  return v;
}

RunEvent ParseEvent(const json& line) {
  RunEvent e;
  e.event = TextOr(line, "event");
  e.at_ns = IntOr(line, "at_ns", 0);
  e.scenario = TextOr(line, "scenario");
  e.variant = TextOr(line, "variant");
  e.round = Int(line, "round", 0);
  e.stage = TextOr(line, "stage");
  e.detail = Object(line, "detail");
  return e;
}

RunEnd ParseEnd(const json& line) {
  using enum RunStatus;
  RunEnd end;
  end.status = ByName(std::array{kValid, kPartial, kInvalid}, TextOr(line, "status"), kPartial);
  for (const json& reason : Array(line, "reasons")) {
    if (reason.is_string()) end.reasons.push_back(reason.get<std::string>());
  }
  end.exit_code = Int(line, "exit_code", 0);
  return end;
}

rocm::Result<void> ExportRun(const std::filesystem::path& path, RunMetrics& metrics) {
  bool ended = false;
  const auto damage = ReadRun(path, [&](const json& line) {
    const std::string type = TextOr(line, "type");
    if (type == "request") {
      metrics.Observe(ParseRequest(line));
    } else if (type == "summary") {
      metrics.Observe(ParseSummary(line));  // the one over all rounds comes last
    } else if (type == "verdict") {
      metrics.Observe(ParseVerdict(line));
    } else if (type == "event") {
      metrics.Observe(ParseEvent(line));
    } else if (type == "end") {
      const WallTime finished = ParseUtc(TextOr(line, "finished_at")).value_or(WallTime());
      metrics.Observe(ParseEnd(line), finished);
      ended = true;
    }
  });
  if (!damage) return rocm::Fail(damage.error());
  if (!ended) {
    RunEnd cut_off;
    cut_off.status = RunStatus::kPartial;
    metrics.Observe(cut_off, WallTime());
  }
  return {};
}

}  // namespace harness
