// SPDX-License-Identifier: EUPL-1.2
#include "harness/measure/answer_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "harness/measure/answer_quality.h"
#include "harness/measure/probability.h"

namespace harness {
namespace {

constexpr double kSignificance = 0.05;

using Key = std::tuple<std::string_view, int, std::int64_t>;
Key KeyOf(const RequestRecord& r) { return {r.stage, r.round, r.index}; }

Divergence Part(const RequestRecord& a, const RequestRecord& b) {
  Divergence divergence;
  divergence.stage = b.stage;
  divergence.round = b.round;
  divergence.index = b.index;
  if (a.ids.empty() || b.ids.empty()) return divergence;
  divergence.token = FirstDivergence(a.ids, b.ids);
  const std::size_t kept = std::min(a.ids.size(), b.ids.size());
  // Ids that end early were cut when they were kept, or belong to the shorter of two answers.
  const auto cut = [kept](const RequestRecord& r) {
    return r.ids.size() == kept && r.tokens > static_cast<int>(kept);
  };
  if (!divergence.token || (*divergence.token == kept && (cut(a) || cut(b)))) {
    divergence.token = kept;
    divergence.beyond = true;
  }
  return divergence;
}

bool Earlier(const Divergence& x, const Divergence& y) {
  if (x.token.has_value() != y.token.has_value()) return x.token.has_value();
  return x.token && *x.token < *y.token;
}

// P of so many on one side, or more, when both sides were equally likely.
double SignTest(std::int64_t more, std::int64_t less) {
  return more == 0 ? 1.0 : BinomialCdf(less, more + less, 0.5);
}

Finding Balance(std::int64_t only_a, std::int64_t only_b, std::int64_t all) {
  const auto significant = [all](std::int64_t more, std::int64_t less) {
    return more > less && (SignTest(more, less) <= kSignificance || more == all);
  };
  if (significant(only_b, only_a)) return Finding::kRegression;
  if (significant(only_a, only_b)) return Finding::kImprovement;
  return only_a + only_b == 0 ? Finding::kNoChange : Finding::kWarning;
}

Verdict Begin(std::string metric, std::int64_t observed, std::int64_t n) {
  Verdict verdict;
  verdict.kind = VerdictKind::kComparison;
  verdict.metric = std::move(metric);
  verdict.limit = 0;
  verdict.observed = static_cast<double>(observed);
  verdict.n = n;
  return verdict;
}

std::string_view InWords(Degeneration degeneration) {
  switch (degeneration) {
    case Degeneration::kEmpty: return "no text at all";
    case Degeneration::kInvalidUtf8: return "no valid UTF-8";
    case Degeneration::kRepeatedToken: return "one token over and over";
    case Degeneration::kShortCycle: return "a few tokens over and over";
  }
  return "";
}

Verdict JudgeFailures(const AnswerComparison& c, const AnswerRules& rules) {
  Verdict verdict = Begin("requests_failed", c.failed_only_b, c.compared);
  verdict.finding = Balance(c.failed_only_a, c.failed_only_b, c.compared);
  if (c.compared == 0) {
    verdict.finding = Finding::kInsufficientData;
    verdict.reason = "no request was asked of both";
    return verdict;
  }
  if (c.failed_only_a + c.failed_only_b + c.failed_both == 0) {
    verdict.reason = fmt::format("all {} requests were answered by both", c.compared);
    return verdict;
  }
  verdict.reason =
      fmt::format("of {} requests {} failed only with {}, {} only with {}, {} with both",
                  c.compared, c.failed_only_b, rules.b, c.failed_only_a, rules.a, c.failed_both);
  return verdict;
}

Verdict JudgeGarbage(const AnswerComparison& c, const AnswerRules& rules) {
  Verdict verdict = Begin("answers_degenerate", c.degenerate_only_b, c.answered);
  verdict.finding = c.answered == 0 ? Finding::kInsufficientData
                                    : Balance(c.degenerate_only_a, c.degenerate_only_b, c.answered);
  if (!rules.degeneration_judged) verdict.finding = Finding::kNotJudged;
  std::string& reason = verdict.reason;
  const auto add = [&](std::int64_t count, const std::string& who,
                       const std::optional<Degeneration>& example) {
    if (count == 0) return;
    reason += fmt::format("{}{} of {} answers of {} are garbage ({})", reason.empty() ? "" : "; ",
                          count, c.answered, who, example ? InWords(*example) : "");
  };
  add(c.degenerate_only_b, rules.b, c.example_b);
  add(c.degenerate_only_a, rules.a, c.example_a);
  if (c.degenerate_both > 0) {
    reason += fmt::format("{}{} are garbage with both: the model's or the prompt's doing",
                          reason.empty() ? "" : "; ", c.degenerate_both);
  }
  if (reason.empty()) reason = fmt::format("all {} answers look like answers", c.answered);
  if (!rules.degeneration_judged) reason += "; random weights are not judged";
  return verdict;
}

std::string Where(const Divergence& d) {
  const std::string request =
      fmt::format("stage {}, round {}, request {}", d.stage, d.round, d.index);
  if (!d.token) return fmt::format("token ids are not known, e.g. {}", request);
  return d.beyond ? fmt::format("the first after token {} ({})", *d.token, request)
                  : fmt::format("the first at token {} ({})", *d.token, request);
}

Verdict JudgeTexts(const AnswerComparison& c, const AnswerRules& rules) {
  Verdict verdict = Begin("answers_differing", c.differing, c.answered);
  if (c.answered == 0) {
    verdict.finding = Finding::kInsufficientData;
    verdict.reason = "no request was answered by both";
    return verdict;
  }
  if (!rules.greedy) {
    verdict.finding = Finding::kNotJudged;
    verdict.reason = "sampled answers differ by right (temperature is not 0)";
    return verdict;
  }
  if (c.differing == 0) {
    verdict.finding = Finding::kNoChange;
    verdict.reason = fmt::format("all {} greedy answers are equal", c.answered);
    return verdict;
  }
  verdict.finding = rules.equal_answers ? Finding::kRegression : Finding::kWarning;
  verdict.reason = fmt::format("{} of {} greedy answers of {} are not those of {}: {}", c.differing,
                               c.answered, rules.b, rules.a, Where(*c.first));
  return verdict;
}

}  // namespace

AnswerComparison CompareAnswers(std::span<const RequestRecord> a,
                                std::span<const RequestRecord> b) {
  std::map<Key, const RequestRecord*> baseline;
  for (const RequestRecord& record : a) baseline.emplace(KeyOf(record), &record);
  AnswerComparison result;
  for (const RequestRecord& right : b) {
    const auto found = baseline.find(KeyOf(right));
    if (found == baseline.end()) continue;
    const RequestRecord& left = *found->second;
    ++result.compared;
    if (!left.ok() || !right.ok()) {
      ++(left.ok() ? result.failed_only_b : right.ok() ? result.failed_only_a : result.failed_both);
      continue;
    }
    ++result.answered;
    if (left.degeneration && right.degeneration) {
      ++result.degenerate_both;
    } else if (right.degeneration) {
      if (result.degenerate_only_b++ == 0) result.example_b = right.degeneration;
    } else if (left.degeneration) {
      if (result.degenerate_only_a++ == 0) result.example_a = left.degeneration;
    }
    if (left.text_sha256 == right.text_sha256) continue;
    ++result.differing;
    const Divergence divergence = Part(left, right);
    if (!result.first || Earlier(divergence, *result.first)) result.first = divergence;
  }
  return result;
}

std::vector<Verdict> JudgeAnswers(const AnswerComparison& answers, const AnswerRules& rules) {
  return {JudgeFailures(answers, rules), JudgeGarbage(answers, rules), JudgeTexts(answers, rules)};
}

void Discount(std::span<const Verdict> answers, std::span<Verdict> times) {
  for (const Verdict& answer : answers) {
    const bool lost = answer.finding == Finding::kRegression;
    if (!lost && answer.finding != Finding::kImprovement) continue;
    for (Verdict& time : times) {
      if (lost && time.finding == Finding::kImprovement) {
        time.finding = Finding::kRegression;
        time.reason += "; no win: " + answer.reason;
      } else if (!lost && time.finding == Finding::kRegression) {
        time.finding = Finding::kInsufficientData;
        time.reason += "; the baseline's speed counts for nothing: " + answer.reason;
      }
    }
  }
}

}  // namespace harness
