// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "harness/scenario/parse.h"
#include "harness/scenario/text_file.h"

namespace harness {
namespace {

constexpr double kMaxStageMs = 7.0 * 24 * 3600 * 1000;
constexpr int kMaxStreams = 20'000;
constexpr std::size_t kMaxTraceBytes = 64 << 20;
constexpr std::size_t kMaxArrivals = 1'000'000;

ClosedLoop ParseClosedLoop(const nlohmann::json& value, const std::string& path,
                           Findings& findings) {
  ObjectReader object(value, path, findings);
  ClosedLoop loop;
  if (!object.Has("concurrency")) object.Fail("concurrency", "is missing");
  loop.concurrency = static_cast<int>(object.Integer("concurrency", 1, kMaxStreams).value_or(1));
  loop.ramp = object.Duration("ramp_s", 0, kMaxStageMs, 1000).value_or(loop.ramp);
  object.Done();
  return loop;
}

// Errors name the trace file and its line: the scenario is not at fault.
std::vector<TraceArrival> ReadTrace(const std::string& file, const std::string& path,
                                    Findings& findings) {
  std::vector<TraceArrival> trace;
  const auto text = ReadTextFile(file, kMaxTraceBytes);
  if (!text) {
    findings.Add(path, text.error().message);
    return trace;
  }
  std::size_t begin = 0;
  std::size_t number = 0;
  while (begin < text->size() && !findings.first()) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    const std::string_view line(text->data() + begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}: {}:{}", path, file, number);
    const auto json = ParseJson(line, where);
    if (!json) {
      findings.Add(path, json.error().message);
      break;
    }
    ObjectReader object(*json, where, findings);
    TraceArrival arrival;
    if (!object.Has("at_s")) object.Fail("at_s", "is missing");
    arrival.at = std::chrono::nanoseconds(
        std::llround(object.Number("at_s", 0, kMaxStageMs / 1000).value_or(0) * 1e9));
    if (const auto n = object.Integer("prompt_tokens", 1, 1 << 20)) {
      arrival.prompt_tokens = static_cast<int>(*n);
    }
    if (const auto n = object.Integer("output_tokens", 1, 1 << 20)) {
      arrival.output_tokens = static_cast<int>(*n);
    }
    object.Done();
    if (!trace.empty() && arrival.at < trace.back().at) {
      object.Fail("at_s", "lies before the line above");
    }
    if (trace.size() == kMaxArrivals) object.FailHere("more than 1000000 arrivals");
    trace.push_back(arrival);
  }
  if (trace.empty()) findings.Add(path, fmt::format("{}: holds no arrival", file));
  return trace;
}

OpenLoop ParseOpenLoop(const nlohmann::json& value, const std::string& path,
                       const std::string& folder, Findings& findings) {
  ObjectReader object(value, path, findings);
  OpenLoop loop;
  int kinds = 0;
  const auto rate = [&](const char* key, ArrivalProcess process) {
    if (!object.Has(key)) return;
    ++kinds;
    loop.process = process;
    loop.rate_per_s = object.Number(key, 0.001, 100'000).value_or(1);
  };
  rate("constant_rate_per_s", ArrivalProcess::kConstant);
  rate("poisson_rate_per_s", ArrivalProcess::kPoisson);
  rate("gamma_rate_per_s", ArrivalProcess::kGamma);
  if (const auto shape = object.Number("shape", 0.01, 1'000)) {
    loop.shape = *shape;
    if (loop.process != ArrivalProcess::kGamma) {
      object.Fail("shape", "applies to gamma_rate_per_s only");
    }
  }
  if (const auto trace = object.String("trace")) {
    ++kinds;
    loop.process = ArrivalProcess::kTrace;
    loop.trace_file = *trace;
    const std::filesystem::path file = std::filesystem::path(folder) / *trace;
    loop.trace = ReadTrace(file.string(), object.PathOf("trace"), findings);
  }
  if (kinds != 1) {
    object.FailHere(
        "must have exactly one of constant_rate_per_s, poisson_rate_per_s, gamma_rate_per_s, "
        "trace");
  }
  loop.seed = static_cast<std::uint64_t>(
      object.Integer("seed", 0, std::numeric_limits<std::int64_t>::max()).value_or(0));
  loop.max_in_flight = static_cast<int>(
      object.Integer("max_in_flight", 1, kMaxStreams).value_or(loop.max_in_flight));
  object.Done();
  return loop;
}

}  // namespace

Stage ParseStage(const nlohmann::json& value, const std::string& path, const std::string& folder,
                 Findings& findings) {
  ObjectReader object(value, path, findings);
  Stage stage;
  stage.name = object.RequiredString("name");
  if (object.Has("closed_loop") == object.Has("open_loop")) {
    object.FailHere("must have exactly one of closed_loop, open_loop");
  }
  if (const auto* closed = object.Take("closed_loop")) {
    stage.load = ParseClosedLoop(*closed, object.PathOf("closed_loop"), findings);
  }
  if (const auto* open = object.Take("open_loop")) {
    stage.load = ParseOpenLoop(*open, object.PathOf("open_loop"), folder, findings);
  }
  stage.requests = object.Integer("requests", 1, 10'000'000);
  stage.duration = object.Duration("duration_s", 1, kMaxStageMs, 1000);
  stage.record = object.Boolean("record").value_or(true);
  object.Done();
  return stage;
}

}  // namespace harness
