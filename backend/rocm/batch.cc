// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/batch.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace rocm {
namespace {

Result<Generation> GenerateOne(TextModel& model, const std::string& prompt,
                               const GenerateConfig& config) {
  auto stream = model.Generate(prompt, config);
  if (!stream) return Fail(std::move(stream.error()));
  Generation generation;
  while (const Token* token = stream->Next()) {
    generation.text += token->text;
    generation.ids.insert(generation.ids.end(), token->ids.begin(), token->ids.end());
  }
  auto end = stream->Finish();
  if (!end) return Fail(std::move(end.error()));
  generation.completion = std::move(*end);
  return generation;
}

Result<Classification> ClassifyOne(TextModel& model, const std::string& prompt,
                                   GenerateConfig config) {
  config.max_tokens = 1;
  config.logprobs = std::max(config.logprobs, 1);
  // The most likely token, whatever the caller's generations do.
  config.temperature = 0.0;
  config.stop.clear();
  config.stop_tokens.clear();
  auto stream = model.Generate(prompt, config);
  if (!stream) return Fail(std::move(stream.error()));
  Classification best;
  while (const Token* token = stream->Next()) {
    if (best.token_id >= 0) continue;
    best.token_id = token->id;
    best.text = token->text;
    for (const TokenLogprob& candidate : token->top_logprobs) {
      if (candidate.id == token->id) best.logprob = candidate.logprob;
    }
  }
  const auto end = stream->Finish();
  if (!end) return Fail(end.error());
  if (best.token_id < 0) return Fail(ErrorCode::kProtocol, "the server generated no token");
  return best;
}

template <typename T, typename Work>
std::vector<Result<T>> ForEach(std::span<const std::string> prompts, int parallel, Work work) {
  std::vector<Result<T>> results(prompts.size(), Fail(ErrorCode::kInternal, "not run"));
  std::atomic<std::size_t> next{0};
  const auto worker = [&] {
    for (std::size_t i = next++; i < prompts.size(); i = next++) results[i] = work(prompts[i]);
  };
  const std::size_t threads =
      std::min<std::size_t>(prompts.size(), static_cast<std::size_t>(std::max(parallel, 1)));
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(worker);
  worker();
  others.clear();
  return results;
}

}  // namespace

std::vector<Result<Generation>> BatchGenerate(TextModel& model,
                                              std::span<const std::string> prompts,
                                              const GenerateConfig& config, int parallel) {
  return ForEach<Generation>(prompts, parallel, [&](const std::string& prompt) {
    return GenerateOne(model, prompt, config);
  });
}

std::vector<Result<Classification>> Classify(TextModel& model, std::span<const std::string> prompts,
                                             const GenerateConfig& config, int parallel) {
  return ForEach<Classification>(prompts, parallel, [&](const std::string& prompt) {
    return ClassifyOne(model, prompt, config);
  });
}

}  // namespace rocm
