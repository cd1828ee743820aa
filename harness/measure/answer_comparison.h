// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/measure/request_record.h"
#include "harness/measure/verdict.h"

namespace harness {

// Where the answers to one request part.
struct Divergence {
  std::string stage;
  int round = 0;
  std::int64_t index = 0;
  // The first differing token, from 0; nullopt where the ids are not known and only the hashes of
  // the texts differ.
  std::optional<std::size_t> token;
  bool beyond = false;  // `token` ids are equal, and more were not kept
};

// The same requests asked of two variants. "Only" counts requests that one variant spoilt and the
// other did not: what both spoil is the model's or the prompt's doing.
struct AnswerComparison {
  std::int64_t compared = 0;  // asked of both
  std::int64_t failed_only_a = 0;
  std::int64_t failed_only_b = 0;
  std::int64_t failed_both = 0;
  // Of those that both answered:
  std::int64_t answered = 0;
  std::int64_t differing = 0;
  std::optional<Divergence> first;  // the one that parts earliest
  std::int64_t degenerate_only_a = 0;
  std::int64_t degenerate_only_b = 0;
  std::int64_t degenerate_both = 0;
  std::optional<Degeneration> example_a;  // of degenerate_only_a
  std::optional<Degeneration> example_b;
};

// Matches records by stage, round and index. Needs text_sha256, ids as far as they were kept, and
// degeneration; order does not matter.
[[nodiscard]] AnswerComparison CompareAnswers(std::span<const RequestRecord> a,
                                              std::span<const RequestRecord> b);

struct AnswerRules {
  bool greedy = true;               // otherwise texts may differ by right
  bool equal_answers = false;       // a difference is a regression
  bool degeneration_judged = true;  // false: random weights
  std::string a = "the baseline";
  std::string b = "the candidate";
};

// Verdicts on requests_failed, answers_degenerate and answers_differing, in this order; scenario
// and variant are the caller's to fill in. One variant spoils significantly more than the other
// (exact sign test at 5 % over the "only" counts, or every single answer): regression or
// improvement.
[[nodiscard]] std::vector<Verdict> JudgeAnswers(const AnswerComparison& answers,
                                                const AnswerRules& rules);

// What the answers make of the verdicts on times: a variant that fails or answers garbage wins
// nothing, however fast it was, and the reason says so.
void Discount(std::span<const Verdict> answers, std::span<Verdict> times);

}  // namespace harness
