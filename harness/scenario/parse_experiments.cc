// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include "harness/scenario/names.h"
#include "harness/scenario/parse.h"

namespace harness {
namespace {

std::optional<int> Int(ObjectReader& object, const char* key, int min, int max) {
  const auto value = object.Integer(key, min, max);
  return value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt;
}

std::vector<std::string> Strings(ObjectReader& object, const char* key, std::size_t max_size) {
  std::vector<std::string> strings;
  const auto* value = object.Take(key);
  if (value == nullptr) return strings;
  const auto elements = AsArray(*value, object.PathOf(key), 0, max_size, object.findings());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    strings.push_back(AsString(*elements[i], AtIndex(object.PathOf(key), i), object.findings()));
  }
  return strings;
}

constexpr std::array<std::string_view, 4> kSplitModes = {"none", "layer", "row", "tensor"};

// "", or what is wrong with it.
std::string WrongWord(SweepParameter parameter, const std::string& word) {
  switch (parameter) {
    case SweepParameter::kSplitMode:
      if (std::ranges::find(kSplitModes, word) != kSplitModes.end()) return "";
      return "must be none, layer, row or tensor";
    case SweepParameter::kTensorSplit:
      // Up to 16 shares.
      static const std::regex shares(R"(\d{1,6}(\.\d{1,3})?(,\d{1,6}(\.\d{1,3})?){0,15})");
      return std::regex_match(word.substr(0, 256), shares) ? "" : "must be shares: \"3,1\"";
    case SweepParameter::kPageCache:
      for (const auto& [name, value] : kPageCacheNames) {
        if (name == word) return "";
      }
      return "must be cold, warm or as_it_is";
    default: return "";
  }
}

void ParseValue(const nlohmann::json& value, const std::string& path, SweepAxis& axis,
                Findings& findings) {
  if (HasWords(axis.parameter)) {
    const std::string word = AsString(value, path, findings);
    const std::string wrong = WrongWord(axis.parameter, word);
    if (!wrong.empty()) findings.Add(path, wrong);
    if (std::ranges::find(axis.words, word) != axis.words.end()) findings.Add(path, "stands twice");
    axis.words.push_back(word);
    return;
  }
  const bool whole = axis.parameter != SweepParameter::kRate;
  double min = whole ? 1 : 0.001;
  if (axis.parameter == SweepParameter::kDepth) min = 0;
  if (axis.parameter == SweepParameter::kGpuLayers) min = -1;
  const double number = AsNumber(value, path, min, 1 << 20, findings);
  if (whole && number != std::floor(number)) findings.Add(path, "must be a whole number");
  if (std::ranges::find(axis.values, number) != axis.values.end()) {
    findings.Add(path, "stands twice");
  }
  axis.values.push_back(number);
}

SweepAxis ParseAxis(const nlohmann::json& value, const std::string& path, Findings& findings) {
  ObjectReader object(value, path, findings);
  SweepAxis axis;
  if (!object.Has("parameter")) object.Fail("parameter", "is missing");
  axis.parameter =
      object.Enum<SweepParameter>("parameter", kSweepNames).value_or(SweepParameter::kConcurrency);
  if (const auto* values = object.Require("values")) {
    const std::string at = object.PathOf("values");
    const auto elements = AsArray(*values, at, 1, 64, findings);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      ParseValue(*elements[i], AtIndex(at, i), axis, findings);
    }
  }
  axis.until_saturation = object.Boolean("until_saturation").value_or(false);
  if (axis.until_saturation && axis.parameter != SweepParameter::kRate) {
    object.Fail("until_saturation", "applies to rate_per_s only");
  }
  if (axis.until_saturation && !std::is_sorted(axis.values.begin(), axis.values.end())) {
    object.Fail("values", "must ascend when until_saturation is set");
  }
  object.Done();
  return axis;
}

AnswerCheck ParseAnswer(const nlohmann::json& value, const std::string& path, Findings& findings) {
  AnswerCheck check;
  if (value.is_string()) {
    if (value.get<std::string>() != "chain") {
      findings.Add(path, "must be \"chain\", or an object with one of equals, contains, matches");
    }
    check.rule = AnswerRule::kChain;
    return check;
  }
  ObjectReader object(value, path, findings);
  if (object.Keys().size() != 1) {
    object.FailHere("must have exactly one of equals, contains, matches");
  }
  const auto take = [&](const char* key, AnswerRule rule) {
    if (const auto text = object.String(key)) {
      check.rule = rule;
      check.text = *text;
    }
  };
  take("equals", AnswerRule::kEquals);
  take("contains", AnswerRule::kContains);
  take("matches", AnswerRule::kMatches);
  object.Done();
  if (check.rule == AnswerRule::kMatches) {
    if (check.text.size() > 1'000) object.Fail("matches", "is longer than 1000 characters");
    try {
      std::regex compiled(check.text.substr(0, 1'000));
    } catch (const std::regex_error&) {
      object.Fail("matches", "is not a regular expression");
    }
  }
  return check;
}

}  // namespace

ServerSettings ParseServer(const nlohmann::json& value, const std::string& path,
                           Findings& findings) {
  ObjectReader object(value, path, findings);
  ServerSettings server;
  server.slots = Int(object, "slots", 1, 16'384);
  server.context_per_slot = Int(object, "context_per_slot", 16, 1 << 24);
  server.flash_attention =
      object.Enum<rocm::FlashAttention>("flash_attention", kFlashAttentionNames);
  server.kv_type_k = object.String("kv_type_k");
  server.kv_type_v = object.String("kv_type_v");
  server.gpu_layers = Int(object, "gpu_layers", -1, 10'000);
  const auto word = [&](const char* key, SweepParameter parameter) {
    auto text = object.String(key);
    const std::string wrong = text ? WrongWord(parameter, *text) : "";
    if (!wrong.empty()) object.Fail(key, wrong);
    return text;
  };
  server.split_mode = word("split_mode", SweepParameter::kSplitMode);
  server.tensor_split = word("tensor_split", SweepParameter::kTensorSplit);
  server.page_cache =
      object.Enum<PageCache>("page_cache", kPageCacheNames).value_or(PageCache::kAsItIs);
  server.threads = Int(object, "threads", 1, 4'096);
  server.batch_size = Int(object, "batch_size", 1, 1 << 20);
  server.ubatch_size = Int(object, "ubatch_size", 1, 1 << 20);
  server.args = Strings(object, "args", 256);
  if (const auto* environment = object.Take("environment")) {
    ObjectReader variables(*environment, object.PathOf("environment"), findings);
    for (const std::string& name : variables.Keys()) {
      if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
        variables.FailHere("a variable's name must not be empty or hold '='");
      }
      server.environment[name] = variables.String(name.c_str()).value_or("");
    }
  }
  object.Done();
  return server;
}

std::vector<SweepAxis> ParseSweep(const nlohmann::json& value, const std::string& path,
                                  Findings& findings) {
  if (!value.is_array()) return {ParseAxis(value, path, findings)};
  std::vector<SweepAxis> axes;
  const auto elements = AsArray(value, path, 1, 4, findings);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    axes.push_back(ParseAxis(*elements[i], AtIndex(path, i), findings));
  }
  return axes;
}

AbPlan ParseAb(const nlohmann::json& value, const std::string& path, Findings& findings) {
  ObjectReader object(value, path, findings);
  AbPlan plan;
  if (const auto* variants = object.Require("variants")) {
    const std::string at = object.PathOf("variants");
    const auto elements = AsArray(*variants, at, 2, 2, findings);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      ObjectReader inner(*elements[i], AtIndex(at, i), findings);
      AbVariant variant;
      variant.name = inner.RequiredString("name");
      if (const auto* server = inner.Take("server")) {
        variant.server = ParseServer(*server, inner.PathOf("server"), findings);
      }
      variant.binding = inner.String("binding").value_or("");
      inner.Done();
      plan.variants.push_back(std::move(variant));
    }
    if (plan.variants.size() == 2 && plan.variants[0].name == plan.variants[1].name) {
      object.Fail("variants", "both have the same name");
    }
  }
  plan.rounds = Int(object, "rounds", 2, 1'000).value_or(plan.rounds);
  plan.margin = object.Number("margin", 0, 1).value_or(plan.margin);
  plan.metrics = Strings(object, "metrics", 16);
  if (plan.metrics.empty()) object.Fail("metrics", "must name at least one metric");
  for (std::size_t i = 0; i < plan.metrics.size(); ++i) {
    if (std::find(plan.metrics.begin(), plan.metrics.begin() + static_cast<std::ptrdiff_t>(i),
                  plan.metrics[i]) != plan.metrics.begin() + static_cast<std::ptrdiff_t>(i)) {
      object.Fail("metrics", "names " + plan.metrics[i] + " twice");
    }
  }
  plan.equal_answers = object.Enum<bool>("answers", kAnswersNames).value_or(false);
  object.Done();
  return plan;
}

namespace {

rocm::RestartPolicy ParseRestart(const nlohmann::json& value, const std::string& path,
                                 Findings& findings) {
  ObjectReader object(value, path, findings);
  rocm::RestartPolicy policy;
  policy.max_restarts = Int(object, "max_restarts", 0, 10'000).value_or(policy.max_restarts);
  const auto time = [&](const char* key, std::chrono::milliseconds& field) {
    field = object.Duration(key, 0, 86'400'000, 1).value_or(field);
  };
  time("window_ms", policy.window);
  time("initial_backoff_ms", policy.initial_backoff);
  time("max_backoff_ms", policy.max_backoff);
  object.Done();
  return policy;
}

}  // namespace

FaultPlan ParseFault(const nlohmann::json& value, const std::string& path, Findings& findings) {
  ObjectReader object(value, path, findings);
  FaultPlan plan;
  if (!object.Has("action")) object.Fail("action", "is missing");
  if (!object.Has("moment")) object.Fail("moment", "is missing");
  plan.action = object.Enum<FaultAction>("action", kFaultActionNames).value_or(plan.action);
  plan.moment = object.Enum<FaultMoment>("moment", kFaultMomentNames).value_or(plan.moment);
  if (const auto tokens = Int(object, "after_tokens", 1, 1 << 20)) {
    plan.after_tokens = *tokens;
    if (plan.moment != FaultMoment::kDecode) {
      object.Fail("after_tokens", "applies to the moment decode only");
    }
  }
  plan.repeat = Int(object, "repeat", 1, 10'000).value_or(1);
  plan.recover_within =
      object.Duration("recover_within_ms", 1, 3'600'000, 1).value_or(plan.recover_within);
  plan.hang_after = object.Duration("hang_after_ms", 10, 3'600'000, 1).value_or(plan.hang_after);
  plan.restart.max_restarts = plan.repeat;
  plan.restart.window = std::chrono::hours(1);
  plan.restart.initial_backoff = plan.restart.max_backoff = std::chrono::milliseconds(0);
  if (const auto* restart = object.Take("restart")) {
    plan.restart = ParseRestart(*restart, object.PathOf("restart"), findings);
  }
  if (plan.action == FaultAction::kUnmask && plan.moment != FaultMoment::kLoad) {
    object.Fail("moment", "must be load with the action unmask");
  }
  object.Done();
  return plan;
}

Expectation ParseExpectation(const nlohmann::json& value, const std::string& path,
                             Findings& findings) {
  ObjectReader object(value, path, findings);
  Expectation expectation;
  expectation.stage = object.String("stage").value_or("");
  if (object.Has("metric") == object.Has("answer")) {
    object.FailHere("must have exactly one of metric, answer");
  }
  if (const auto* answer = object.Take("answer")) {
    expectation.answer = ParseAnswer(*answer, object.PathOf("answer"), findings);
  } else {
    expectation.metric = object.RequiredString("metric");
    if (!object.Has("op")) object.Fail("op", "is missing");
    if (!object.Has("value")) object.Fail("value", "is missing");
    expectation.op = object.Enum<CompareOp>("op", kOpNames).value_or(CompareOp::kEq);
    expectation.value = object.Number("value", -1e15, 1e15).value_or(0);
  }
  const bool chain = expectation.answer && expectation.answer->rule == AnswerRule::kChain;
  expectation.on = object.Enum<JudgedOn>("on", kOnNames)
                       .value_or(chain ? JudgedOn::kChain : JudgedOn::kAnywhere);
  object.Done();
  return expectation;
}

}  // namespace harness
