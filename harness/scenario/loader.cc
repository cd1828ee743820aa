// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/loader.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "harness/scenario/json_reader.h"
#include "harness/scenario/names.h"
#include "harness/scenario/parse.h"
#include "harness/scenario/text_file.h"

namespace harness {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxSuiteLines = 10'000;

Slo ParseSlo(const nlohmann::json& value, const std::string& path, Findings& findings) {
  ObjectReader object(value, path, findings);
  Slo slo;
  slo.ttft_ms = object.Number("ttft_ms", 0, 1e9);
  slo.tpot_ms = object.Number("tpot_ms", 0, 1e9);
  slo.e2e_ms = object.Number("e2e_ms", 0, 1e9);
  object.Done();
  if (slo.empty()) object.FailHere("must set at least one of ttft_ms, tpot_ms, e2e_ms");
  return slo;
}

void ParseHead(ObjectReader& object, Scenario& scenario) {
  if (!object.Has("schema")) object.Fail("schema", "is missing");
  scenario.schema = static_cast<int>(object.Integer("schema", 0, 1'000'000).value_or(1));
  // Before all else: a file of another version is not judged by this one's rules.
  if (scenario.schema != 1) {
    object.Fail("schema", fmt::format("is {}; this version reads schema 1", scenario.schema));
  }
  scenario.name = object.RequiredString("name");
  scenario.why = object.RequiredString("why");
  if (!object.Has("kind")) object.Fail("kind", "is missing");
  scenario.kind = object.Enum<ScenarioKind>("kind", kKindNames).value_or(ScenarioKind::kLoad);
  scenario.timing_judged = object.Enum<bool>("timing", kTimingNames).value_or(true);
  scenario.rounds = static_cast<int>(object.Integer("rounds", 1, 1'000).value_or(1));
  scenario.restart_server = object.Boolean("restart_server").value_or(false);
  scenario.cool_down =
      object.Duration("cool_down_s", 0, 3'600'000, 1'000).value_or(scenario.cool_down);
  scenario.random_weights = object.Enum<bool>("weights", kWeightsNames).value_or(false);
}

Scenario ParseTree(const nlohmann::json& tree, const std::string& folder, Findings& findings) {
  ObjectReader object(tree, "$", findings);
  Scenario scenario;
  ParseHead(object, scenario);
  if (const auto* server = object.Take("server")) {
    scenario.server = ParseServer(*server, "$.server", findings);
  }
  if (const auto* workload = object.Require("workload")) {
    scenario.workload = ParseWorkload(*workload, "$.workload", findings);
  }
  if (const auto* stages = object.Require("stages")) {
    const auto elements = AsArray(*stages, "$.stages", 1, 64, findings);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      scenario.stages.push_back(ParseStage(*elements[i], AtIndex("$.stages", i), folder, findings));
    }
  }
  if (const auto* sweep = object.Take("sweep")) {
    scenario.sweep = ParseSweep(*sweep, "$.sweep", findings);
  }
  if (const auto* slo = object.Take("slo")) scenario.slo = ParseSlo(*slo, "$.slo", findings);
  if (const auto* expect = object.Take("expect")) {
    const auto elements = AsArray(*expect, "$.expect", 0, 256, findings);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      scenario.expect.push_back(ParseExpectation(*elements[i], AtIndex("$.expect", i), findings));
    }
  }
  if (const auto* ab = object.Take("ab")) scenario.ab = ParseAb(*ab, "$.ab", findings);
  if (const auto* fault = object.Take("fault")) {
    scenario.fault = ParseFault(*fault, "$.fault", findings);
  }
  object.Done();
  // The rules over the whole assume sound parts.
  if (!findings.first()) Validate(scenario, findings);
  return scenario;
}

rocm::Result<std::vector<std::string>> ReadSuite(const std::string& path) {
  auto text = ReadTextFile(path, kMaxFileBytes);
  if (!text) return tl::unexpected(text.error());
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::vector<std::string> files;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    std::string line = text->substr(begin, end - begin);
    begin = end + 1;
    if (++number > kMaxSuiteLines) {
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument, fmt::format("{}: too long", path));
    }
    line.resize(std::min(line.find('#'), line.size()));
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    const std::string file = (folder / line).lexically_normal().string();
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) {
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                        fmt::format("{}:{}: no such file: {}", path, number, file));
    }
    files.push_back(file);
  }
  if (files.empty()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{}: names no scenario", path));
  }
  return files;
}

}  // namespace

rocm::Result<Scenario> ParseScenario(std::string_view text, const std::string& origin) {
  auto tree = ParseJson(text, origin);
  if (!tree) return tl::unexpected(tree.error());
  Findings findings;
  Scenario scenario =
      ParseTree(*tree, std::filesystem::path(origin).parent_path().string(), findings);
  if (findings.first()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{}: {}", origin, *findings.first()));
  }
  scenario.file = origin;
  return scenario;
}

rocm::Result<Scenario> LoadScenario(const std::string& path) {
  auto text = ReadTextFile(path, kMaxFileBytes);
  if (!text) return tl::unexpected(text.error());
  return ParseScenario(*text, path);
}

rocm::Result<std::vector<Scenario>> LoadScenarios(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (std::filesystem::path(path).extension() != ".txt") {
      files.push_back(path);
      continue;
    }
    auto suite = ReadSuite(path);
    if (!suite) return tl::unexpected(suite.error());
    files.insert(files.end(), suite->begin(), suite->end());
  }
  std::vector<Scenario> scenarios;
  std::map<std::string, std::string> names;
  for (const std::string& file : files) {
    auto scenario = LoadScenario(file);
    if (!scenario) return tl::unexpected(scenario.error());
    const auto [other, fresh] = names.emplace(scenario->name, file);
    if (!fresh) {
      return rocm::Fail(
          rocm::ErrorCode::kInvalidArgument,
          fmt::format("{}: $.name: {} is the name of {} too", file, scenario->name, other->second));
    }
    scenarios.push_back(*std::move(scenario));
  }
  return scenarios;
}

}  // namespace harness
