// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backend/config.h"
#include "backend/error.h"
#include "backend/wire/completion_delta.h"
#include "harness/load/word_costs.h"
#include "harness/scenario/scenario.h"
#include "harness/target/target.h"

namespace harness {

// Which request this is. Everything in a request follows from it and the workload's seed, so that
// the same run sends the same bytes, and the two sides of a comparison do too.
struct RequestKey {
  std::string_view stage;
  int round = 0;
  std::int64_t index = 0;
  int stream = 0;                         // of a closed loop; chooses the slot where that matters
  const TraceArrival* arrival = nullptr;  // its lengths take precedence
};

// The sampling seed that the request carries: different for all requests of a stage, so that a
// server's own log can be matched with our records.
[[nodiscard]] std::uint32_t SamplingSeed(std::uint64_t workload_seed, std::string_view stage,
                                         int round, std::int64_t index);

// A request ready to be sent, and what its answer should be like.
struct PreparedRequest {
  std::string body;
  std::string prime_body;  // to be sent before, unrecorded, so that the cache holds it; or empty
  int output_tokens = 0;
  bool exact_output = false;
  int prompt_tokens = -1;  // as the server should count them; -1: not known
  // The last token of the prompt in the chain vocabulary.
  std::optional<std::int32_t> chain_last;
  std::uint32_t seed = 0;
  std::vector<rocm::Message> messages;  // chat, where there will be further turns
};

// Makes the requests of one scenario for one target. Const members are thread-safe.
class RequestFactory {
 public:
  // Talks to the target where prompts of an exact length are wanted. Fails with kInvalidArgument
  // where the workload cannot be made for this target. `known`, if given, is what was learnt about
  // the same model before, and is filled in when empty: asking takes hundreds of calls.
  [[nodiscard]] static rocm::Result<RequestFactory> Create(
      const Scenario& scenario, const Target& target, std::stop_token stop,
      std::optional<WordCosts>* known = nullptr);

  [[nodiscard]] PreparedRequest Make(const RequestKey& key) const;
  // The next turn of a conversation: `history` is what was said so far, answers included.
  [[nodiscard]] PreparedRequest MakeTurn(const RequestKey& key,
                                         std::vector<rocm::Message> history) const;

  [[nodiscard]] const Workload& workload() const { return workload_; }
  [[nodiscard]] rocm::wire::Api api() const { return api_; }
  // 1 where requests do not belong together.
  [[nodiscard]] int turns() const;

 private:
  RequestFactory() = default;
  [[nodiscard]] PreparedRequest Begin(const RequestKey& key, Random& random) const;
  [[nodiscard]] rocm::GenerateConfig Sampling(const PreparedRequest& request) const;
  void MakeSynthetic(const SyntheticPrompt& prompt, const RequestKey& key, Random& random,
                     PreparedRequest& request) const;
  [[nodiscard]] rocm::Result<void> CheckLengths() const;

  Workload workload_;
  rocm::wire::Api api_ = rocm::wire::Api::kNative;
  std::string served_model_;
  bool llama_server_ = true;
  bool chain_ = false;
  int slots_ = 1;
  std::optional<WordCosts> words_;
  int chat_overhead_ = 0;
};

}  // namespace harness
