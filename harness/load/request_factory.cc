// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/request_factory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "backend/gguf/chain_model.h"
#include "backend/wire/completion_request.h"
#include "harness/load/arrivals.h"

namespace harness {
namespace {

rocm::wire::Api WireApi(WorkloadApi api) {
  switch (api) {
    case WorkloadApi::kNative: return rocm::wire::Api::kNative;
    case WorkloadApi::kCompletion: return rocm::wire::Api::kCompletion;
    case WorkloadApi::kChat: return rocm::wire::Api::kChat;
  }
  return rocm::wire::Api::kNative;
}

// Create() has built one of each kind; what fails here is a bug.
std::string Must(rocm::Result<std::string> body) {
  if (!body) std::abort();
  return *std::move(body);
}

std::optional<std::int32_t> LastByteToken(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return rocm::gguf::chain::ByteToken(static_cast<unsigned char>(text.back()));
}

// The request's own field; it has no place in an options struct that embedders see.
std::string WithSlot(std::string body, int slot) {
  return fmt::format("{{\"id_slot\":{},{}", slot, std::string_view(body).substr(1));
}

const Length* PromptLength(const Prompt& prompt) {
  if (const auto* p = std::get_if<SyntheticPrompt>(&prompt)) return &p->tokens;
  if (const auto* p = std::get_if<ConversationPrompt>(&prompt)) return &p->user_tokens;
  return nullptr;
}

int MinOf(const Length& length) {
  struct Visitor {
    int operator()(const FixedLength& l) const { return l.tokens; }
    int operator()(const UniformLength& l) const { return l.from; }
    int operator()(const LognormalLength&) const { return 1; }
    int operator()(const ChoiceLength& l) const {
      return *std::min_element(l.tokens.begin(), l.tokens.end());
    }
  };
  return std::visit(Visitor{}, length);
}

}  // namespace

std::uint32_t SamplingSeed(std::uint64_t workload_seed, std::string_view stage, int round,
                           std::int64_t index) {
  Random base = Random(workload_seed).Fork(fmt::format("seed/{}/{}", stage, round));
  return static_cast<std::uint32_t>(base.Next() + static_cast<std::uint64_t>(index));
}

rocm::Result<RequestFactory> RequestFactory::Create(const Scenario& scenario, const Target& target,
                                                    std::stop_token stop,
                                                    std::optional<WordCosts>* known) {
  const TargetFacts& facts = target.facts();
  RequestFactory factory;
  factory.workload_ = scenario.workload;
  factory.api_ = WireApi(scenario.workload.api);
  factory.llama_server_ = facts.llama_server;
  factory.chain_ = facts.chain;
  factory.slots_ = std::max(1, facts.applied.slots);
  factory.served_model_ = facts.llama_server ? "" : facts.served_model;
  if (!facts.llama_server && scenario.workload.api == WorkloadApi::kNative) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{}: the api native is llama-server's own; this server needs "
                                  "completion or chat",
                                  scenario.file));
  }
  if (PromptLength(scenario.workload.prompt) == nullptr) return factory;
  if (!facts.llama_server) {
    factory.words_ = WordCosts::Guess();
    return factory;
  }
  if (known != nullptr && *known) {
    factory.words_ = *known;
  } else {
    auto words = WordCosts::Measure(target.endpoint(), stop);
    if (!words) return tl::unexpected(words.error());
    factory.words_ = *std::move(words);
    if (known != nullptr) *known = factory.words_;
  }
  if (scenario.workload.api == WorkloadApi::kChat) {
    const auto overhead = factory.words_->MeasureChatOverhead(target.endpoint(), stop);
    if (!overhead) return tl::unexpected(overhead.error());
    factory.chat_overhead_ = *overhead;
  }
  const auto fits = factory.CheckLengths();
  if (!fits) return tl::unexpected(fits.error());
  return factory;
}

rocm::Result<void> RequestFactory::CheckLengths() const {
  if (workload_.api == WorkloadApi::kNative) return {};
  const int shortest = MinOf(*PromptLength(workload_.prompt));
  const bool turns = std::holds_alternative<ConversationPrompt>(workload_.prompt);
  Random random(0);
  const auto makeable = [&](int tokens) {
    return turns ? words_->Content(tokens, random).has_value()
                 : words_->Text(tokens, chat_overhead_, random).has_value();
  };
  if (makeable(shortest)) return {};
  int least = shortest + 1;
  while (least < shortest + 4096 && !makeable(least)) ++least;
  return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                    fmt::format("a prompt of {} tokens cannot be written for this model and api: "
                                "the shortest is {}",
                                shortest, least));
}

int RequestFactory::turns() const {
  const auto* conversation = std::get_if<ConversationPrompt>(&workload_.prompt);
  return conversation == nullptr ? 1 : conversation->turns;
}

rocm::GenerateConfig RequestFactory::Sampling(const PreparedRequest& request) const {
  rocm::GenerateConfig config;
  config.max_tokens = request.output_tokens;
  config.temperature = workload_.temperature;
  config.ignore_eos = workload_.exact_output;
  config.cache_prompt = workload_.cache_prompt;
  config.seed = request.seed;
  return config;
}

PreparedRequest RequestFactory::Begin(const RequestKey& key, Random& random) const {
  PreparedRequest request;
  // Always drawn, so that a trace that names some lengths does not shift the others.
  request.output_tokens = Draw(workload_.output_tokens, random);
  if (key.arrival != nullptr && key.arrival->output_tokens) {
    request.output_tokens = *key.arrival->output_tokens;
  }
  request.exact_output = workload_.exact_output;
  request.seed = SamplingSeed(workload_.seed, key.stage, key.round, key.index);
  return request;
}

void RequestFactory::MakeSynthetic(const SyntheticPrompt& prompt, const RequestKey& key,
                                   Random& random, PreparedRequest& request) const {
  int tokens = Draw(prompt.tokens, random);
  if (key.arrival != nullptr && key.arrival->prompt_tokens) tokens = *key.arrival->prompt_tokens;
  const rocm::GenerateConfig config = Sampling(request);
  const rocm::wire::RequestOptions options{.model = served_model_, .llama_server = llama_server_};
  if (words_->exact()) request.prompt_tokens = tokens + prompt.depth;
  if (api_ == rocm::wire::Api::kNative) {
    std::vector<std::int32_t> ids;
    if (prompt.depth > 0) {
      // The same for all requests of a slot: its cache then holds it from one to the next.
      Random prefix = Random(workload_.seed).Fork(fmt::format("depth/{}", key.stream));
      ids = words_->Ids(prompt.depth, prefix);
      rocm::GenerateConfig priming = config;
      priming.max_tokens = 1;
      const int slot = key.stream % slots_;
      request.prime_body = WithSlot(
          Must(BuildRequest(api_, std::span<const std::int32_t>(ids), priming, options)), slot);
    }
    const auto own = words_->Ids(prompt.depth > 0 ? tokens + 1 : tokens, random);
    // Begin-of-text stands at the beginning of the depth already.
    ids.insert(ids.end(), own.begin() + (prompt.depth > 0 ? 1 : 0), own.end());
    request.body = Must(BuildRequest(api_, std::span<const std::int32_t>(ids), config, options));
    if (prompt.depth > 0) request.body = WithSlot(std::move(request.body), key.stream % slots_);
    if (chain_ && !ids.empty()) request.chain_last = ids.back();
    return;
  }
  const auto text = words_->Text(tokens, chat_overhead_, random);
  if (!text) {  // a length that a trace or a distribution drew below what can be written
    request.prompt_tokens = -1;
  }
  const std::string content = text.value_or("Text:");
  if (chain_) request.chain_last = LastByteToken(content);
  if (api_ == rocm::wire::Api::kChat) {
    const std::vector<rocm::Message> messages{{"user", content}};
    request.body =
        Must(BuildRequest(api_, std::span<const rocm::Message>(messages), config, options));
  } else {
    request.body = Must(BuildRequest(api_, std::string_view(content), config, options));
  }
}

PreparedRequest RequestFactory::Make(const RequestKey& key) const {
  Random random =
      Random(workload_.seed).Fork(fmt::format("{}/{}/{}", key.stage, key.round, key.index));
  PreparedRequest request = Begin(key, random);
  const rocm::wire::RequestOptions options{.model = served_model_, .llama_server = llama_server_};
  if (const auto* texts = std::get_if<TextPrompts>(&workload_.prompt)) {
    const std::string& text =
        texts->texts[static_cast<std::size_t>(key.index) % texts->texts.size()];
    if (chain_) request.chain_last = LastByteToken(text);
    if (api_ == rocm::wire::Api::kChat) {
      const std::vector<rocm::Message> messages{{"user", text}};
      request.body = Must(
          BuildRequest(api_, std::span<const rocm::Message>(messages), Sampling(request), options));
    } else {
      request.body = Must(BuildRequest(api_, std::string_view(text), Sampling(request), options));
    }
  } else if (const auto* prompt = std::get_if<MessagesPrompt>(&workload_.prompt)) {
    if (chain_) request.chain_last = LastByteToken(prompt->messages.back().content);
    request.body = Must(BuildRequest(api_, std::span<const rocm::Message>(prompt->messages),
                                     Sampling(request), options));
  } else if (const auto* synthetic = std::get_if<SyntheticPrompt>(&workload_.prompt)) {
    MakeSynthetic(*synthetic, key, random, request);
  } else {
    return MakeTurn(key, {});
  }
  return request;
}

PreparedRequest RequestFactory::MakeTurn(const RequestKey& key,
                                         std::vector<rocm::Message> history) const {
  Random random =
      Random(workload_.seed).Fork(fmt::format("{}/{}/{}", key.stage, key.round, key.index));
  PreparedRequest request = Begin(key, random);
  const auto& conversation = std::get<ConversationPrompt>(workload_.prompt);
  const int tokens = Draw(conversation.user_tokens, random);
  std::string content = words_->Content(tokens, random).value_or("Text:");
  if (chain_) request.chain_last = LastByteToken(content);
  history.push_back({"user", std::move(content)});
  const rocm::wire::RequestOptions options{.model = served_model_, .llama_server = llama_server_};
  request.body =
      Must(BuildRequest(api_, std::span<const rocm::Message>(history), Sampling(request), options));
  request.messages = std::move(history);
  return request;
}

}  // namespace harness
