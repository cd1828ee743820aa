// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/comparison_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "harness/cli/text_table.h"

namespace harness {
namespace {

constexpr std::size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;

// "fa depth=2048,on against off": the point of the sweep once is enough.
std::string Name(const Verdict& verdict) {
  std::string variant = verdict.variant;
  constexpr std::string_view kAgainst = " against ";
  const auto at = variant.find(kAgainst);
  const auto comma = variant.rfind(',', at);
  if (at != std::string::npos && comma != std::string::npos) {
    const std::string axis = variant.substr(0, comma + 1);
    const auto baseline = at + kAgainst.size();
    if (variant.compare(baseline, axis.size(), axis) == 0) variant.erase(baseline, axis.size());
  }
  return fmt::format("{}{}{}", verdict.scenario, variant.empty() ? "" : " ", variant);
}

std::string Percent(double ratio) {
  return std::isfinite(ratio) ? fmt::format("{:+.1f}", (ratio - 1) * 100) : "∞";
}

std::string Change(const Verdict& verdict) {
  if (!verdict.observed) return "–";
  std::string text = Percent(*verdict.observed) + " %";
  if (verdict.low && verdict.high && std::isfinite(*verdict.high)) {
    text += fmt::format(" [{}, {}]", Percent(*verdict.low), Percent(*verdict.high));
  }
  return text;
}

std::string Seen(const Verdict& verdict) {
  if (!verdict.smallest_effect || !std::isfinite(*verdict.smallest_effect)) return "–";
  return fmt::format("{:.1f} %", *verdict.smallest_effect * 100);
}

std::string InWords(Finding finding) {
  std::string words(ToString(finding));
  std::ranges::replace(words, '_', ' ');
  return words;
}

bool IsRatio(const Comparison& comparison) { return comparison.a && comparison.b; }

// What a row of numbers does not say.
bool NeedsWords(const Comparison& comparison) {
  const Finding finding = comparison.verdict.finding;
  // That the answers are equal is worth a line of its own.
  if (comparison.verdict.metric == "answers_differing") return finding != Finding::kNotJudged;
  if (!IsRatio(comparison)) return finding != Finding::kNoChange && finding != Finding::kNotJudged;
  return comparison.verdict.reason.find("no win") != std::string::npos ||
         comparison.verdict.reason.find("counts for nothing") != std::string::npos ||
         finding == Finding::kInvalid || finding == Finding::kFail || finding == Finding::kWarning;
}

}  // namespace

nlohmann::ordered_json ComparisonJson(const Comparison& comparison) {
  const Verdict& v = comparison.verdict;
  nlohmann::ordered_json json{{"finding", ToString(v.finding)},
                              {"scenario", v.scenario},
                              {"variant", v.variant},
                              {"stage", v.stage},
                              {"metric", v.metric},
                              {"n", v.n},
                              {"reason", v.reason}};
  const auto put = [&json](const char* key, const std::optional<double>& value) {
    if (value && std::isfinite(*value)) json[key] = *value;
  };
  put("before", comparison.a);
  put("after", comparison.b);
  put("observed", v.observed);
  put("low", v.low);
  put("high", v.high);
  put("smallest_effect", v.smallest_effect);
  put("p_value", v.p_value);
  put("error_bound", v.error_bound);
  return json;
}

std::string FormatComparisons(std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "";
  std::vector<Row> rows{
      {"comparison", "stage", "metric", "before", "after", "change %", "could see", "verdict"}};
  std::string words;
  for (const Comparison& comparison : comparisons) {
    const Verdict& verdict = comparison.verdict;
    if (IsRatio(comparison)) {
      rows.push_back({Name(verdict), verdict.stage, verdict.metric, TableNumber(*comparison.a),
                      TableNumber(*comparison.b), Change(verdict), Seen(verdict),
                      InWords(verdict.finding)});
    }
    if (NeedsWords(comparison)) {
      words += fmt::format("{}: {}{}{}: {}: {}\n", InWords(verdict.finding), Name(verdict),
                           verdict.stage.empty() ? "" : " · ", verdict.stage, verdict.metric,
                           verdict.reason);
    }
  }
  std::string out;
  if (rows.size() > 1) out = FormatColumns(std::span<const Row>(rows), {0, 1, 2, 7});
  return out + words;
}

}  // namespace harness
