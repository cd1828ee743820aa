// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/summary_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "harness/cli/comparison_table.h"
#include "harness/cli/text_table.h"
#include "harness/measure/fault_summary.h"

namespace harness {
namespace {

constexpr std::array<const char*, 10> kColumns = {
    "scenario",         "stage", "n", "failed", "TTFT ms p50", "p99", "TPOT ms", "decode tok/s",
    "throughput tok/s", "MBU %"};
using Row = std::array<std::string, kColumns.size()>;

// Empty where it is not known: a column without any value is not shown.
std::string Percent(const StageSummary& summary, std::string_view path) {
  const auto ratio = FindStatistic(summary, path);
  return ratio ? fmt::format("{:.1f}", ratio->value * 100) : "";
}

class Cells {
 public:
  explicit Cells(const StageReport& stage) : stage_(stage) {}

  // "12.3 [12.1–12.6] ±0.02"; '*' where n does not carry the percentile.
  std::string Of(std::string_view path, bool interval) {
    const auto statistic = FindStatistic(stage_.summary, path);
    if (!statistic) return "–";
    std::string text = TableNumber(statistic->value);
    if (!statistic->supported) {
      text += "*";
      unsupported = true;
    }
    if (interval && statistic->low && statistic->high) {
      text += fmt::format(" [{}–{}]", TableNumber(*statistic->low), TableNumber(*statistic->high));
    }
    const auto bound = stage_.error_bounds.find(std::string(path));
    if (bound != stage_.error_bounds.end()) {
      text += fmt::format(" ±{}", TableNumber(bound->second));
    }
    return text;
  }
  bool unsupported = false;

 private:
  const StageReport& stage_;
};

Row MakeRow(const StageReport& stage, bool& unsupported) {
  Cells cells(stage);
  Row row{fmt::format("{}{}{}", stage.scenario, stage.variant.empty() ? "" : " ", stage.variant),
          stage.stage.name,
          fmt::format("{}", stage.summary.requests),
          fmt::format("{}", stage.summary.requests_failed),
          cells.Of("ttft_ms.p50", true),
          cells.Of("ttft_ms.p99", false),
          cells.Of("tpot_ms.p50", false),
          cells.Of("decode_tokens_per_s.p50", true),
          cells.Of("throughput_tokens_per_s", false),
          Percent(stage.summary, "bandwidth_utilisation_ratio")};
  unsupported = unsupported || cells.unsupported;
  return row;
}

// "pp512 @ d8192   1241.5 ± 15.4 t/s", as llama-bench prints it.
std::string LlamaBenchRow(const StageReport& stage) {
  const std::string name = LlamaBenchName(stage.workload);
  const auto* closed = std::get_if<ClosedLoop>(&stage.stage.load);
  if (name.empty() || closed == nullptr || closed->concurrency != 1) return "";
  const char* metric = name.starts_with("pp") ? "prefill_tokens_per_s" : "decode_tokens_per_s";
  const auto found = stage.summary.distributions.find(metric);
  if (found == stage.summary.distributions.end()) return "";
  return fmt::format("{:<20} {:>10.2f} ± {:.2f} t/s (n = {})\n", name, found->second.mean,
                     found->second.sd, found->second.n);
}

// Of a scenario that starts a server for each round.
std::string LoadRow(const StageReport& stage) {
  const auto load = stage.summary.rounds.find("load_ms");
  if (load == stage.summary.rounds.end() || load->second.rounds < 2) return "";
  std::string text =
      fmt::format("{}{}{}: loaded in {} ms", stage.scenario, stage.variant.empty() ? "" : " ",
                  stage.variant, TableNumber(load->second.mean));
  if (load->second.low && load->second.high) {
    text +=
        fmt::format(" [{}–{}]", TableNumber(*load->second.low), TableNumber(*load->second.high));
  }
  text += fmt::format(" (n = {})", load->second.rounds);
  const auto gib = [&](const char* name, const char* what) {
    const auto bytes = stage.summary.values.find(name);
    if (bytes == stage.summary.values.end()) return;
    text += fmt::format(", {} {:.2f} GiB", what, bytes->second / (1 << 30));
  };
  gib("vram_after_load_bytes", "VRAM after it");
  gib("server_rss_bytes", "server RSS");
  return text + "\n";
}

// "crash_decode: kill at …" is in the scenario's name; what followed is here.
std::string RecoveryRows(const StageReport& stage) {
  const StageSummary& summary = stage.summary;
  if (summary.stage != kRecoveryStage || summary.requests == 0) return "";
  std::string text =
      fmt::format("{}{}{}: {} of {} recovered", stage.scenario, stage.variant.empty() ? "" : " ",
                  stage.variant, summary.requests_ok, summary.requests);
  const auto time = [&](const char* name, const char* words) {
    const auto p50 = FindStatistic(summary, fmt::format("{}.p50", name));
    const auto most = FindStatistic(summary, fmt::format("{}.max", name));
    if (!p50 || !most) return;
    text += fmt::format(", {} {} ms (max {})", words, TableNumber(p50->value),
                        TableNumber(most->value));
  };
  time("detection_ms", "death seen after");
  time("told_ms", "streams told after");
  time("healthy_ms", "healthy after");
  time("recovery_ms", "first token after");
  time("steady_ms", "steady after");
  time("vram_released_ms", "VRAM free after");
  text += "\n  streams in flight:";
  bool any = false;
  for (const auto& [name, count] : summary.counts) {
    if (!name.starts_with("struck_")) continue;
    text += fmt::format("{} {} {}", any ? "," : "", count, name.substr(7));
    any = true;
  }
  if (!any) text += " none";
  text += fmt::format("; {} tokens lost; {} processes left\n",
                      summary.counts.at("tokens_lost_total"), summary.counts.at("processes_left"));
  return text;
}

std::string Verdicts(const RunReport& report) {
  std::string text;
  int passed = 0, judged = 0, unjudged = 0;
  for (const StageReport& stage : report.stages) {
    for (const Verdict& verdict : stage.verdicts) {
      const bool expectation = verdict.kind == VerdictKind::kExpectation;
      if (expectation && verdict.finding == Finding::kNotJudged) ++unjudged;
      if (expectation && verdict.finding != Finding::kNotJudged) ++judged;
      if (verdict.finding == Finding::kPass && expectation) ++passed;
      if (verdict.finding == Finding::kPass || verdict.finding == Finding::kNotJudged) continue;
      text += fmt::format("{}: {}{}{} · {}: {}\n", ToString(verdict.finding), verdict.scenario,
                          verdict.variant.empty() ? "" : " ", verdict.variant, verdict.stage,
                          verdict.reason);
    }
    if (stage.saturation && stage.saturation->saturated) {
      text += fmt::format("saturated: {} {} · {}: {:.0f} % of the offered rate was completed\n",
                          stage.scenario, stage.variant, stage.stage.name,
                          stage.saturation->completed_share * 100);
    }
  }
  text += fmt::format("{} of {} expectations hold", passed, judged);
  if (unjudged > 0) text += fmt::format(", {} are not for this target", unjudged);
  return text + "\n";
}

nlohmann::ordered_json VerdictJson(const Verdict& verdict) {
  nlohmann::ordered_json json{{"finding", ToString(verdict.finding)},
                              {"kind", ToString(verdict.kind)},
                              {"metric", verdict.metric},
                              {"reason", verdict.reason}};
  if (verdict.observed) json["observed"] = *verdict.observed;
  if (verdict.limit) json["limit"] = *verdict.limit;
  return json;
}

}  // namespace

std::string LlamaBenchName(const Workload& workload) {
  const auto* prompt = std::get_if<SyntheticPrompt>(&workload.prompt);
  const auto* output = std::get_if<FixedLength>(&workload.output_tokens);
  if (prompt == nullptr || output == nullptr) return "";
  const auto* input = std::get_if<FixedLength>(&prompt->tokens);
  if (input == nullptr) return "";
  std::string name;
  if (output->tokens == 1) {
    name = fmt::format("pp{}", input->tokens);
  } else if (input->tokens == 1) {
    name = fmt::format("tg{}", output->tokens);
  } else {
    name = fmt::format("pp{}+tg{}", input->tokens, output->tokens);
  }
  return prompt->depth > 0 ? fmt::format("{} @ d{}", name, prompt->depth) : name;
}

std::string FormatTable(const RunReport& report) {
  std::string out;
  bool unsupported = false;
  std::vector<Row> rows;
  Row head;
  std::ranges::copy(kColumns, head.begin());
  rows.push_back(head);
  for (const StageReport& stage : report.stages) {
    if (stage.summary.stage != kRecoveryStage) rows.push_back(MakeRow(stage, unsupported));
  }
  const auto last = [](const Row& row) { return row.back().empty(); };
  if (std::all_of(rows.begin() + 1, rows.end(), last)) rows.front().back().clear();
  if (!report.stages.empty()) out += FormatColumns(std::span<const Row>(rows), {0, 1});
  if (unsupported) out += "* too few samples for this percentile\n";
  for (const StageReport& stage : report.stages) out += LlamaBenchRow(stage);
  for (const StageReport& stage : report.stages) out += LoadRow(stage);
  for (const StageReport& stage : report.stages) out += RecoveryRows(stage);
  if (!report.comparisons.empty()) out += "\n" + FormatComparisons(report.comparisons);
  if (!report.stages.empty()) out += Verdicts(report);
  out += fmt::format("{}: {}\n", ToString(report.end.status), report.file.string());
  // What made the run fail as a whole has its own line already.
  for (const std::string& reason : report.end.reasons) {
    if (!report.failure || reason != report.failure->message) out += fmt::format("  {}\n", reason);
  }
  return out;
}

std::string FormatJson(const RunReport& report) {
  nlohmann::ordered_json json{{"run_id", report.run_id},
                              {"file", report.file.string()},
                              {"status", ToString(report.end.status)},
                              {"exit_code", report.end.exit_code},
                              {"reasons", report.end.reasons},
                              {"stages", nlohmann::ordered_json::array()}};
  for (const StageReport& stage : report.stages) {
    nlohmann::ordered_json entry{{"scenario", stage.scenario},
                                 {"variant", stage.variant},
                                 {"stage", stage.stage.name},
                                 {"requests", stage.summary.requests},
                                 {"requests_failed", stage.summary.requests_failed},
                                 {"outcomes", stage.summary.outcomes},
                                 {"token_sources", stage.summary.token_sources},
                                 {"metrics", nlohmann::ordered_json::object()},
                                 {"verdicts", nlohmann::ordered_json::array()}};
    for (const auto& [name, distribution] : stage.summary.distributions) {
      auto& metric = entry["metrics"][name];
      metric = {{"n", distribution.n}, {"mean", distribution.mean}, {"sd", distribution.sd}};
      for (const Quantile& q : distribution.quantiles) {
        metric[QuantileName(q.p)] = {{"value", q.value}, {"supported", q.supported}};
      }
    }
    for (const auto& [name, value] : stage.summary.values) entry["metrics"][name] = value;
    for (const auto& [name, value] : stage.summary.counts) entry["metrics"][name] = value;
    if (!stage.error_bounds.empty()) entry["error_bounds"] = stage.error_bounds;
    if (stage.saturation) entry["saturated"] = stage.saturation->saturated;
    for (const Verdict& verdict : stage.verdicts) entry["verdicts"].push_back(VerdictJson(verdict));
    json["stages"].push_back(std::move(entry));
  }
  for (const Comparison& comparison : report.comparisons) {
    json["comparisons"].push_back(ComparisonJson(comparison));
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace harness
