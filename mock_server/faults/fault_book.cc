// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/fault_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <utility>

namespace mock {
namespace {

using Problem = std::optional<std::string>;

Problem RefuseUnknown(const Json& object, std::string_view where,
                      std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return fmt::format("{} is not an object", where);
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return fmt::format("{} has an unknown member '{}'", where, key);
    }
  }
  return std::nullopt;
}

Problem ReadInt(const Json& object, const char* key, std::string_view where, std::int64_t& out) {
  if (!object.contains(key)) return std::nullopt;
  if (!object[key].is_number_integer()) return fmt::format("{}.{} is not an integer", where, key);
  out = object[key].get<std::int64_t>();
  return std::nullopt;
}

Problem ReadWhen(const Json& when, const std::string& where, FaultRule& rule) {
  if (auto problem =
          RefuseUnknown(when, where, {"endpoint", "requests", "every", "from", "probability"})) {
    return problem;
  }
  if (when.contains("endpoint")) {
    if (!when["endpoint"].is_string()) return where + ".endpoint is not a string";
    rule.endpoint = when["endpoint"].get<std::string>();
  }
  if (when.contains("requests")) {
    if (!when["requests"].is_array()) return where + ".requests is not a list";
    for (const Json& number : when["requests"]) {
      if (!number.is_number_integer()) return where + ".requests are not integers";
      rule.requests.push_back(number.get<std::int64_t>());
    }
  }
  if (auto problem = ReadInt(when, "every", where, rule.every)) return problem;
  if (auto problem = ReadInt(when, "from", where, rule.from)) return problem;
  if (when.contains("probability")) {
    if (!when["probability"].is_number()) return where + ".probability is not a number";
    rule.probability = when["probability"].get<double>();
  }
  return std::nullopt;
}

bool Matches(const FaultRule& rule, const HttpRequest& request) {
  if (rule.endpoint == "*") return !request.path.starts_with("/mock/");
  if (rule.endpoint.empty()) return request.method == "POST" && IsCompletionPath(request.path);
  return rule.endpoint == request.path;
}

bool Chosen(FaultRule& rule) {
  const std::int64_t number = rule.seen++;
  if (rule.times >= 0 && rule.struck >= rule.times) return false;
  if (number < rule.from) return false;
  if (!rule.requests.empty() &&
      std::find(rule.requests.begin(), rule.requests.end(), number) == rule.requests.end()) {
    return false;
  }
  if (rule.every > 0 && (number - rule.from) % rule.every != 0) return false;
  // The dice are thrown for each candidate, so that the same seed strikes the same requests.
  if (rule.random.Uniform() >= rule.probability) return false;
  ++rule.struck;
  return true;
}

}  // namespace

bool IsCompletionPath(std::string_view path) {
  constexpr std::array<std::string_view, 5> kPaths{"/completion", "/completions", "/v1/completions",
                                                   "/v1/chat/completions", "/chat/completions"};
  return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end();
}

std::optional<std::string> FaultBook::Load(const Json& script) {
  if (auto problem = RefuseUnknown(script, "the script", {"seed", "startup", "rules", "append"})) {
    return problem;
  }
  for (const char* list : {"startup", "rules"}) {
    if (script.contains(list) && !script[list].is_array()) {
      return fmt::format("\"{}\" is not a list", list);
    }
  }
  std::int64_t seed = static_cast<std::int64_t>(seed_);
  if (auto problem = ReadInt(script, "seed", "the script", seed)) return problem;
  Faults startup;
  for (const Json& json : script.contains("startup") ? script["startup"] : Json::array()) {
    auto fault = Fault::Parse(json);
    if (!fault) return fmt::format("startup[{}]: {}", startup.size(), fault.error());
    if (fault->place() != FaultPlace::kStartup) {
      return fmt::format("startup[{}]: '{}' needs a request: put it under \"rules\"",
                         startup.size(), fault->type());
    }
    startup.push_back(std::move(*fault));
  }
  std::vector<FaultRule> rules;
  for (const Json& json : script.contains("rules") ? script["rules"] : Json::array()) {
    const std::string where = fmt::format("rules[{}]", rules.size());
    if (auto problem = RefuseUnknown(json, where, {"when", "times", "fault"})) return problem;
    if (!json.contains("fault")) return where + " has no \"fault\"";
    auto fault = Fault::Parse(json["fault"]);
    if (!fault) return fmt::format("{}.fault: {}", where, fault.error());
    if (fault->place() == FaultPlace::kStartup) {
      return fmt::format("{}.fault: '{}' belongs under \"startup\"", where, fault->type());
    }
    FaultRule rule;
    rule.fault = std::move(*fault);
    rule.random = Random(MixSeed(static_cast<std::uint64_t>(seed), 1'000 + rules.size()));
    if (auto problem = ReadInt(json, "times", where, rule.times)) return problem;
    if (json.contains("when")) {
      if (auto problem = ReadWhen(json["when"], where + ".when", rule)) return problem;
    }
    rules.push_back(std::move(rule));
  }
  const bool append = script.contains("append") && script["append"] == true;
  if (!append) rules_.clear();
  rules_.insert(rules_.end(), rules.begin(), rules.end());
  if (!append || !startup.empty()) startup_ = std::move(startup);
  return std::nullopt;
}

std::optional<std::string> FaultBook::LoadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return "cannot read it";
  std::stringstream text;
  text << file.rdbuf();
  const Json script = Json::parse(text.str(), nullptr, false, true);
  if (script.is_discarded()) return "it is not JSON";
  return Load(script);
}

void FaultBook::Clear() {
  rules_.clear();
  startup_.clear();
}

Faults FaultBook::Strike(const HttpRequest& request) {
  Faults faults;
  for (FaultRule& rule : rules_) {
    if (Matches(rule, request) && Chosen(rule)) faults.push_back(rule.fault);
  }
  return faults;
}

Json FaultBook::Show() const {
  Json rules = Json::array();
  for (const FaultRule& rule : rules_) {
    rules.push_back(
        Json{{"fault", rule.fault.json()}, {"seen", rule.seen}, {"struck", rule.struck}});
  }
  return Json{{"rules", std::move(rules)}};
}

}  // namespace mock
