// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_lines.h"

#include <cmath>

#include "backend/base/clock.h"
#include "harness/base/json.h"
#include "harness/base/wall_clock.h"
#include "harness/record/json_text.h"

namespace harness {
namespace {

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json OrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

void Text(std::string_view key, std::string_view value, std::string& out) {
  out += ",\"";
  out += key;
  out += "\":";
  AppendJsonString(value, out);
}

void Number(std::string_view key, std::int64_t value, std::string& out) {
  out += ",\"";
  out += key;
  out += "\":";
  AppendJsonNumber(value, out);
}

void AppendTimings(const std::optional<rocm::Timings>& timings, std::string& out) {
  out += ",\"timings\":";
  if (!timings) {
    out += "null";
    return;
  }
  out += "{\"cache_n\":";
  AppendJsonNumber(std::int64_t{timings->cache_n}, out);
  Number("prompt_n", timings->prompt_n, out);
  out += ",\"prompt_ms\":";
  AppendJsonNumber(timings->prompt_ms, out);
  Number("predicted_n", timings->predicted_n, out);
  out += ",\"predicted_ms\":";
  AppendJsonNumber(timings->predicted_ms, out);
  out += '}';
}

void AppendChunks(const std::vector<ChunkTime>& chunks, std::string& out) {
  out += ",\"chunks\":[";
  bool first = true;
  for (const ChunkTime& chunk : chunks) {
    if (!first) out += ',';
    first = false;
    out += '[';
    AppendJsonNumber(chunk.at_ns, out);
    out += ',';
    AppendJsonNumber(std::int64_t{chunk.tokens}, out);
    out += ']';
  }
  out += ']';
}

void AppendIds(const std::vector<std::int32_t>& ids, std::string& out) {
  out += ",\"ids\":[";
  bool first = true;
  for (const std::int32_t id : ids) {
    if (!first) out += ',';
    first = false;
    AppendJsonNumber(std::int64_t{id}, out);
  }
  out += ']';
}

Json ToJson(const Distribution& d) {
  Json json = {{"n", d.n}};
  if (d.n == 0) return json;
  json["mean"] = d.mean;
  json["sd"] = d.sd;
  json["min"] = d.min;
  json["max"] = d.max;
  for (const Quantile& q : d.quantiles) {
    const std::string name = QuantileName(q.p);
    json[name] = {{"value", q.value},
                  {"low", OrNull(q.low)},
                  {"high", OrNull(q.high)},
                  {"supported", q.supported}};
  }
  return json;
}

}  // namespace

std::string_view ToString(RunStatus status) {
  switch (status) {
    case RunStatus::kValid: return "valid";
    case RunStatus::kPartial: return "partial";
    case RunStatus::kInvalid: return "invalid";
  }
  return "invalid";
}

std::string HeaderLine(const RunHeader& header, std::string_view run_id) {
  const WallTime wall = WallNow();
  Json json = {
      {"type", "header"},
      {"schema", kRunSchema},
      {"run_id", run_id},
      {"started_at", FormatUtc(wall)},
      {"started_ns", rocm::ToNs(rocm::Now())},
      {"tool", {{"name", "rocm-bench"}, {"version", header.tool_version}}},
      {"command", header.command},
      {"target", header.target},
      {"suite", header.suite},
      {"scenarios", header.scenarios},
      {"seeds", Json(header.seeds)},
      {"fingerprint",
       {{"identity", header.fingerprint.identity}, {"covariates", header.fingerprint.covariates}}},
      {"server",
       {{"binary", header.server.binary},
        {"build", header.server.build},
        {"argv", header.server.argv},
        {"requested", header.server.requested},
        {"applied", header.server.applied}}},
      {"calibration", header.calibration}};
  return Dump(json);
}

void AppendRequestLine(const RequestRecord& record, bool chunks, std::string& out) {
  out += R"({"type":"request")";
  Text("scenario", record.scenario, out);
  Text("variant", record.variant, out);
  Number("round", record.round, out);
  Text("stage", record.stage, out);
  Number("index", record.index, out);
  Text("outcome", record.outcome, out);
  Text("error", record.error, out);
  Number("http_status", record.http_status, out);
  Text("finish_reason", record.finish_reason, out);
  Number("tokens", record.tokens, out);
  Text("token_source", record.token_source.empty() ? "none" : record.token_source, out);
  Number("prompt_tokens", record.prompt_tokens, out);
  Number("cached_tokens", record.cached_tokens, out);
  Number("scheduled_ns", record.scheduled_ns, out);
  Number("connect_ns", record.connect_ns, out);
  Number("sent_ns", record.sent_ns, out);
  Number("first_byte_ns", record.first_byte_ns, out);
  Number("first_token_ns", record.first_token_ns, out);
  Number("first_answer_ns", record.first_answer_ns, out);
  Number("last_token_ns", record.last_token_ns, out);
  Number("finished_ns", record.finished_ns, out);
  if (chunks) AppendChunks(record.chunks, out);
  AppendTimings(record.timings, out);
  Text("text_sha256", record.text_sha256, out);
  if (record.degeneration) Text("degenerate", ToString(*record.degeneration), out);
  if (!record.ids.empty()) AppendIds(record.ids, out);
  out += '}';
}

std::string EventLine(const RunEvent& event) {
  const Json json = {{"type", "event"},
                     {"event", event.event},
                     {"at", FormatUtc(WallNow())},
                     {"at_ns", event.at_ns != 0 ? event.at_ns : rocm::ToNs(rocm::Now())},
                     {"scenario", event.scenario},
                     {"variant", event.variant},
                     {"round", event.round},
                     {"stage", event.stage},
                     {"detail", event.detail}};
  return Dump(json);
}

std::string SummaryLine(const StageSummary& summary, const SummaryContext& context,
                        std::string_view series) {
  Json metrics = Json::object();
  for (const auto& [name, distribution] : summary.distributions) {
    metrics[name] = ToJson(distribution);
  }
  Json values = Json::object();
  for (const auto& [name, value] : summary.values) values[name] = value;
  Json rounds = Json::object();
  for (const auto& [path, over] : summary.rounds) {
    rounds[path] = {{"n", over.rounds},
                    {"mean", over.mean},
                    {"sd", over.sd},
                    {"low", OrNull(over.low)},
                    {"high", OrNull(over.high)},
                    {"smallest_effect", OrNull(over.smallest_effect)}};
  }
  const Json json = {{"type", "summary"},
                     {"scenario", summary.scenario},
                     {"variant", summary.variant},
                     {"round", summary.round},
                     {"stage", summary.stage},
                     {"series", series},
                     {"settings", context.settings},
                     {"timing_judged", context.timing_judged},
                     {"window",
                      {{"start_ns", summary.window.start_ns},
                       {"end_ns", summary.window.end_ns},
                       {"seconds", summary.window.seconds()}}},
                     {"requests", summary.requests},
                     {"requests_ok", summary.requests_ok},
                     {"requests_failed", summary.requests_failed},
                     {"outcomes", Json(summary.outcomes)},
                     {"token_sources", Json(summary.token_sources)},
                     {"metrics", metrics},
                     {"values", values},
                     {"counts", Json(summary.counts)},
                     {"rounds", rounds},
                     {"error_bounds", Json(context.error_bounds)}};
  return Dump(json);
}

std::string VerdictLine(const Verdict& verdict) {
  const Json json = {{"type", "verdict"},
                     {"kind", ToString(verdict.kind)},
                     {"finding", ToString(verdict.finding)},
                     {"scenario", verdict.scenario},
                     {"variant", verdict.variant},
                     {"stage", verdict.stage},
                     {"metric", verdict.metric},
                     {"op", verdict.op},
                     {"limit", OrNull(verdict.limit)},
                     {"observed", OrNull(verdict.observed)},
                     {"low", OrNull(verdict.low)},
                     {"high", OrNull(verdict.high)},
                     {"error_bound", OrNull(verdict.error_bound)},
                     {"smallest_effect", OrNull(verdict.smallest_effect)},
                     {"p_value", OrNull(verdict.p_value)},
                     {"n", verdict.n},
                     {"reason", verdict.reason}};
  return Dump(json);
}

std::string EndLine(const RunEnd& end, std::int64_t requests, std::int64_t lost_lines) {
  const Json json = {{"type", "end"},
                     {"status", ToString(end.status)},
                     {"reasons", end.reasons},
                     {"exit_code", end.exit_code},
                     {"finished_at", FormatUtc(WallNow())},
                     {"finished_ns", rocm::ToNs(rocm::Now())},
                     {"requests", requests},
                     {"lost_lines", lost_lines}};
  return Dump(json);
}

}  // namespace harness
