// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/word_costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>

#include "backend/http/control_client.h"
#include "backend/wire/completion_request.h"
#include "backend/wire/control_reply.h"

namespace harness {
namespace {

// Every text begins with it, so that what a tokeniser does at the very beginning never meets a
// measured word.
constexpr std::string_view kHead = "Text:";
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr int kTrials = 8;

rocm::Result<std::vector<std::int32_t>> Tokenise(const rocm::http::ControlClient& client,
                                                 std::string_view text, bool special,
                                                 std::stop_token stop) {
  const auto body = rocm::wire::BuildTokenize(text, special, special);
  if (!body) return tl::unexpected(body.error());
  rocm::http::CallOptions options;
  options.cancel = std::move(stop);
  options.deadline = std::chrono::seconds(30);
  const auto reply = client.PostOk("/tokenize", *body, options);
  if (!reply) return tl::unexpected(reply.error());
  return rocm::wire::ParseTokens(reply->body);
}

// For each remainder up to a bound: a word whose cost leads, by further such steps, to zero. Small
// remainders are filled by it, large ones at random.
std::vector<std::size_t> Coins(const std::vector<int>& costs) {
  int largest = 1;
  for (const int cost : costs) largest = std::max(largest, cost);
  const auto size = static_cast<std::size_t>(3 * largest + 1);
  std::vector<std::size_t> coin(size, kNone);
  coin[0] = 0;
  for (std::size_t rest = 1; rest < size; ++rest) {
    for (std::size_t word = 0; word < costs.size(); ++word) {
      const auto cost = static_cast<std::size_t>(costs[word]);
      if (cost == 0 || cost > rest || coin[rest - cost] == kNone) continue;
      coin[rest] = word;
      break;
    }
  }
  return coin;
}

}  // namespace

const std::vector<std::string_view>& Words() {
  static const std::vector<std::string_view> words = [] {
    static constexpr std::string_view kText =
        "a about after again air all also an and animal answer any are around as ask at away back "
        "be because been before began being below between big book both boy but by call came can "
        "change child city close cold come could country cut day did different do does door down "
        "each early earth eat end enough even every eye face family far farm father feet few find "
        "fire first fish five follow food for form found four friend from garden gave get girl "
        "give go good great green ground group grow had hand hard has have he head hear help her "
        "here high him his home horse hot house how hundred idea if important in into is it its "
        "just keep kind king know land language large last late later learn leave left letter "
        "life light like line list listen little live long look made make man many map mark may "
        "me mean measure might mile money moon more morning most mother mountain move much music "
        "must my name near need never new next night no north not note notice now number of off "
        "often old on once one only open or order other our out over own page paper part people "
        "picture place plain plan plant play point power press problem pull put question quick "
        "rain ran reach read real red rest right river road rock room round rule run said same saw "
        "say school sea second see seem sentence serve set shape she ship short should show side "
        "simple since sing sit six size sleep slow small snow so some song soon sound south space "
        "spell stand star start state stay step still stop story street strong study such sun sure "
        "table take talk tell ten than that the their them then there these they thing think this "
        "those thought three through time to together told too took top toward town travel tree "
        "true try turn two under until up us use usual very voice vowel walk want war warm was "
        "watch water way we week well went were west what wheel when where which while white who "
        "whole why wind with wonder wood word work world would write year yes yet you young your";
    std::vector<std::string_view> list;
    for (std::size_t begin = 0; begin < kText.size();) {
      const std::size_t end = std::min(kText.find(' ', begin), kText.size());
      list.push_back(kText.substr(begin, end - begin));
      begin = end + 1;
    }
    return list;
  }();
  return words;
}

WordCosts WordCosts::Guess() {
  WordCosts costs = FromCosts(std::vector<int>(Words().size(), 1), 1);
  costs.exact_ = false;
  return costs;
}

WordCosts WordCosts::FromCosts(std::vector<int> costs, int bare) {
  WordCosts result;
  result.exact_ = true;
  result.bare_ = bare;
  result.head_ = bare;
  result.costs_ = std::move(costs);
  result.coin_ = Coins(result.costs_);
  return result;
}

rocm::Result<WordCosts> WordCosts::Measure(const rocm::http::Endpoint& endpoint,
                                           std::stop_token stop) {
  const rocm::http::ControlClient client(endpoint);
  const auto with = Tokenise(client, kHead, true, stop);
  if (!with) return tl::unexpected(with.error());
  const auto without = Tokenise(client, kHead, false, stop);
  if (!without) return tl::unexpected(without.error());
  WordCosts result;
  result.bare_ = static_cast<int>(with->size());
  result.head_ = static_cast<int>(without->size());
  if (with->size() == without->size() + 1) result.bos_ = with->front();
  std::set<std::int32_t> ids, tails;
  for (const std::string_view word : Words()) {
    const auto tokens = Tokenise(client, fmt::format("{} {}", kHead, word), false, stop);
    if (!tokens) return tl::unexpected(tokens.error());
    const int cost = static_cast<int>(tokens->size()) - result.head_;
    result.costs_.push_back(std::max(cost, 0));
    if (cost <= 0) continue;
    for (std::size_t i = without->size(); i < tokens->size(); ++i) ids.insert((*tokens)[i]);
    tails.insert(tokens->back());
  }
  result.ids_.assign(ids.begin(), ids.end());
  result.tails_.assign(tails.begin(), tails.end());
  result.coin_ = Coins(result.costs_);
  Random random(1);
  for (int trial = 0; trial < kTrials; ++trial) {
    const int wanted = 40 + 37 * trial;
    const auto text = result.Text(wanted, 0, random);
    if (!text) continue;
    const auto tokens = Tokenise(client, *text, true, stop);
    if (!tokens) return tl::unexpected(tokens.error());
    if (static_cast<int>(tokens->size()) == wanted) continue;
    return rocm::Fail(rocm::ErrorCode::kInternal,
                      fmt::format("this model's tokens do not add up word by word ({} instead of "
                                  "{}): prompts of exact length need the api native",
                                  tokens->size(), wanted));
  }
  result.exact_ = true;
  return result;
}

rocm::Result<int> WordCosts::MeasureChatOverhead(const rocm::http::Endpoint& endpoint,
                                                 std::stop_token stop) const {
  const rocm::http::ControlClient client(endpoint);
  const std::vector<rocm::Message> messages{{"user", std::string(kHead)}};
  const auto body = rocm::wire::BuildApplyTemplate(messages);
  if (!body) return tl::unexpected(body.error());
  rocm::http::CallOptions options;
  options.cancel = stop;
  const auto reply = client.PostOk("/apply-template", *body, options);
  if (!reply) return tl::unexpected(reply.error());
  const auto prompt = rocm::wire::ParseTemplated(reply->body);
  if (!prompt) return tl::unexpected(prompt.error());
  const auto tokens = Tokenise(client, *prompt, true, stop);
  if (!tokens) return tl::unexpected(tokens.error());
  return static_cast<int>(tokens->size()) - bare_;
}

std::string WordCosts::Fill(std::string text, int tokens, Random& random) const {
  const auto exact_from = static_cast<int>(coin_.size());
  const auto last = static_cast<std::int64_t>(costs_.size()) - 1;
  while (tokens >= exact_from) {
    const auto word = static_cast<std::size_t>(random.UniformInt(0, last));
    if (costs_[word] == 0) continue;
    text += ' ';
    text += Words()[word];
    tokens -= costs_[word];
  }
  while (tokens > 0) {
    // Any word that leaves a remainder which can be filled; the known one when luck is out.
    auto word = static_cast<std::size_t>(random.UniformInt(0, last));
    const int cost = costs_[word];
    if (cost == 0 || cost > tokens || coin_[static_cast<std::size_t>(tokens - cost)] == kNone) {
      word = coin_[static_cast<std::size_t>(tokens)];
    }
    text += ' ';
    text += Words()[word];
    tokens -= costs_[word];
  }
  return text;
}

std::optional<std::string> WordCosts::Text(int tokens, int overhead, Random& random) const {
  const int words = tokens - overhead - bare_;
  const bool small = words >= 0 && words < static_cast<int>(coin_.size());
  if (words < 0 || (small && coin_[static_cast<std::size_t>(words)] == kNone)) return std::nullopt;
  return Fill(std::string(kHead), words, random);
}

std::optional<std::string> WordCosts::Content(int tokens, Random& random) const {
  return Text(tokens, head_ - bare_, random);
}

std::vector<std::int32_t> WordCosts::Ids(int tokens, Random& random) const {
  std::vector<std::int32_t> ids;
  ids.reserve(static_cast<std::size_t>(std::max(tokens, 0)));
  const auto pick = [&random](const std::vector<std::int32_t>& from) {
    const auto last = static_cast<std::int64_t>(from.size()) - 1;
    return from[static_cast<std::size_t>(random.UniformInt(0, last))];
  };
  if (bos_ && tokens > 1) ids.push_back(*bos_);
  while (static_cast<int>(ids.size()) + 1 < tokens) ids.push_back(pick(ids_));
  if (tokens > 0) ids.push_back(pick(tails_));
  return ids;
}

}  // namespace harness
