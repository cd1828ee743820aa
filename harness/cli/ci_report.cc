// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/ci_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/cli/text_table.h"
#include "harness/measure/metric_check.h"
#include "harness/record/history_file.h"

namespace harness {
namespace {

constexpr std::size_t kMaxRows = 500;
constexpr std::size_t kMaxText = 2'000;

// Bytes that are no UTF-8 become U+FFFD.
std::string Utf8(std::string_view text) {
  const nlohmann::json value = std::string(text.substr(0, 16 * kMaxText));
  return nlohmann::json::parse(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
      .get<std::string>();
}

std::string Where(const Verdict& verdict) {
  return verdict.variant.empty() ? verdict.scenario
                                 : fmt::format("{} {}", verdict.scenario, verdict.variant);
}

std::string CaseName(const Verdict& verdict) {
  std::string name = verdict.stage.empty() ? verdict.metric
                                           : fmt::format("{} · {}", verdict.stage, verdict.metric);
  if (!verdict.op.empty() && verdict.limit) {
    name += fmt::format(" {} {:g}", verdict.op, *verdict.limit);
  }
  return name;
}

bool IsFailure(Finding f) { return f == Finding::kFail || f == Finding::kRegression; }
bool IsSkipped(Finding f) { return f == Finding::kNotJudged || f == Finding::kInsufficientData; }

std::string Case(const Verdict& verdict) {
  std::string body;
  const std::string reason = XmlText(verdict.reason);
  const std::string finding(ToString(verdict.finding));
  if (IsFailure(verdict.finding)) {
    body = fmt::format("<failure type=\"{}\" message=\"{}\"/>", finding, reason);
  } else if (verdict.finding == Finding::kInvalid) {
    body = fmt::format("<error type=\"{}\" message=\"{}\"/>", finding, reason);
  } else if (IsSkipped(verdict.finding)) {
    body = fmt::format("<skipped message=\"{}: {}\"/>", finding, reason);
  } else if (!reason.empty()) {
    body = fmt::format("<system-out>{}: {}</system-out>", finding, reason);
  }
  return fmt::format("    <testcase classname=\"{}\" name=\"{}\">{}</testcase>\n",
                     XmlText(Where(verdict)), XmlText(CaseName(verdict)), body);
}

struct Tally {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;
};

void Count(const Verdict& verdict, Tally& tally) {
  ++tally.tests;
  tally.failures += IsFailure(verdict.finding) ? 1 : 0;
  tally.errors += verdict.finding == Finding::kInvalid ? 1 : 0;
  tally.skipped += IsSkipped(verdict.finding) ? 1 : 0;
}

std::string Attributes(const Tally& tally) {
  return fmt::format(R"(tests="{}" failures="{}" errors="{}" skipped="{}")", tally.tests,
                     tally.failures, tally.errors, tally.skipped);
}

// 0 is what no value is.
std::string NumberOrDash(double value) { return value == 0 ? "–" : TableNumber(value); }

std::string Cell(const StageSummary& summary, std::string_view path) {
  const auto statistic = FindStatistic(summary, path);
  return statistic ? NumberOrDash(statistic->value) : "–";
}

std::string Words(const std::vector<Verdict>& verdicts) {
  std::string text;
  std::size_t shown = 0;
  for (const Verdict& verdict : verdicts) {
    const bool quiet = verdict.finding == Finding::kPass || IsSkipped(verdict.finding) ||
                       verdict.finding == Finding::kNoChange;
    if (quiet || ++shown > kMaxRows) continue;
    text += fmt::format("- **{}** {} · {}: {}\n", ToString(verdict.finding),
                        MarkdownText(Where(verdict)), MarkdownText(CaseName(verdict)),
                        MarkdownText(verdict.reason));
  }
  return text.empty() ? text : "\n" + text;
}

}  // namespace

std::string XmlText(std::string_view text) {
  std::string out;
  const std::string clean = Utf8(text);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto byte = static_cast<unsigned char>(clean[i]);
    // U+FFFE and U+FFFF are valid UTF-8 and no XML.
    const bool nonchar = byte == 0xEF && i + 2 < clean.size() &&
                         static_cast<unsigned char>(clean[i + 1]) == 0xBF &&
                         static_cast<unsigned char>(clean[i + 2]) >= 0xBE;
    if (nonchar) {
      out += '?';
      i += 2;
    } else if (byte < 0x20 && byte != '\n' && byte != '\t') {
      out += ' ';
    } else if (byte == '&') {
      out += "&amp;";
    } else if (byte == '<') {
      out += "&lt;";
    } else if (byte == '>') {
      out += "&gt;";
    } else if (byte == '"') {
      out += "&quot;";
    } else {
      out += clean[i];
    }
  }
  return out;
}

std::string MarkdownText(std::string_view text) {
  std::string out;
  for (const char c : Utf8(text.substr(0, kMaxText))) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += ' ';
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (std::string_view("\\`*_{}[]()#!|>~$@").find(c) != std::string_view::npos) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string JUnitXml(std::string_view title, const std::vector<Verdict>& verdicts,
                     std::string_view problem) {
  Tally all;
  std::vector<std::string> scenarios;
  for (const Verdict& verdict : verdicts) {
    Count(verdict, all);
    if (std::ranges::find(scenarios, verdict.scenario) == scenarios.end()) {
      scenarios.push_back(verdict.scenario);
    }
  }
  if (!problem.empty()) {
    ++all.tests;
    ++all.errors;
  }
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  xml += fmt::format("<testsuites name=\"{}\" {}>\n", XmlText(title), Attributes(all));
  for (const std::string& scenario : scenarios) {
    Tally tally;
    std::string cases;
    for (const Verdict& verdict : verdicts) {
      if (verdict.scenario != scenario) continue;
      Count(verdict, tally);
      cases += Case(verdict);
    }
    xml += fmt::format("  <testsuite name=\"{}\" {}>\n{}  </testsuite>\n", XmlText(scenario),
                       Attributes(tally), cases);
  }
  if (!problem.empty()) {
    xml += fmt::format(
        "  <testsuite name=\"run\" {}>\n    <testcase classname=\"run\" name=\"run\"><error "
        "type=\"run\" message=\"{}\"/></testcase>\n  </testsuite>\n",
        Attributes({1, 0, 1, 0}), XmlText(problem));
  }
  return xml + "</testsuites>\n";
}

std::vector<Verdict> VerdictsOf(const RunReport& report) {
  std::vector<Verdict> verdicts;
  for (const StageReport& stage : report.stages) {
    for (Verdict verdict : stage.verdicts) {
      if (verdict.scenario.empty()) verdict.scenario = stage.scenario;
      if (verdict.variant.empty()) verdict.variant = stage.variant;
      if (verdict.stage.empty()) verdict.stage = stage.stage.name;
      verdicts.push_back(std::move(verdict));
    }
  }
  for (const Comparison& comparison : report.comparisons) verdicts.push_back(comparison.verdict);
  return verdicts;
}

std::vector<Verdict> VerdictsOf(const GateReport& report) {
  std::vector<Verdict> verdicts;
  for (const GateLine& line : report.lines) verdicts.push_back(line.verdict);
  return verdicts;
}

std::string StepSummary(const RunReport& report) {
  std::string text = fmt::format("## rocm-bench: {}\n\n", ToString(report.end.status));
  for (const std::string& reason : report.end.reasons) {
    text += fmt::format("> {}\n", MarkdownText(reason));
  }
  text +=
      "\n| scenario | stage | requests | failed | TTFT p50 ms | TPOT p50 ms | decode tok/s | "
      "throughput tok/s |\n|---|---|--:|--:|--:|--:|--:|--:|\n";
  for (std::size_t i = 0; i < std::min(kMaxRows, report.stages.size()); ++i) {
    const StageReport& stage = report.stages[i];
    const StageSummary& s = stage.summary;
    text +=
        fmt::format("| {} {} | {} | {} | {} | {} | {} | {} | {} |\n", MarkdownText(stage.scenario),
                    MarkdownText(stage.variant), MarkdownText(stage.stage.name), s.requests,
                    s.requests_failed, Cell(s, "ttft_ms.p50"), Cell(s, "tpot_ms.p50"),
                    Cell(s, "decode_tokens_per_s.p50"), Cell(s, "throughput_tokens_per_s"));
  }
  if (report.stages.size() > kMaxRows) {
    text += fmt::format("\n{} more rows are in the run file.\n", report.stages.size() - kMaxRows);
  }
  return text + Words(VerdictsOf(report)) +
         fmt::format("\nRun `{}`, exit {}.\n\n", MarkdownText(report.run_id), report.end.exit_code);
}

std::string StepSummary(const GateReport& report, std::string_view title) {
  std::string text = fmt::format("## {}\n\n", MarkdownText(title));
  text +=
      "| scenario | stage | metric | baseline | candidate | change | finding |\n"
      "|---|---|---|--:|--:|--:|---|\n";
  for (std::size_t i = 0; i < std::min(kMaxRows, report.lines.size()); ++i) {
    const GateLine& line = report.lines[i];
    const Verdict& v = line.verdict;
    const bool ratio = v.observed && IsRatio(v.metric);
    text += fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} |\n", MarkdownText(Where(v)), MarkdownText(v.stage),
        MarkdownText(v.metric), NumberOrDash(line.baseline), NumberOrDash(line.candidate),
        ratio ? fmt::format("{:+.1f} %", (*v.observed - 1) * 100) : "–", ToString(v.finding));
  }
  text += Words(VerdictsOf(report));
  for (const std::string& covariate : report.covariates) {
    text += fmt::format("- differs: {}\n", MarkdownText(covariate));
  }
  for (const Confirmation& confirmation : report.confirmations) {
    text += fmt::format("- to confirm {}: {}\n", MarkdownText(confirmation.scenario),
                        MarkdownText(ShellLine(confirmation.command)));
  }
  return text + "\n";
}

rocm::Result<void> AppendText(const std::filesystem::path& path, std::string_view text) {
  const auto fail = [&](const char* what) {
    return rocm::Fail(rocm::ErrorCode::kIo,
                      fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "ae"),
                                                             &std::fclose);
  if (!file) return fail("open");
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()) != 0) {
    return fail("write");
  }
  return {};
}

}  // namespace harness
