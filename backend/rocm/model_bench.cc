// SPDX-License-Identifier: EUPL-1.2
// The predecessor's three benchmarks through the library, on the server and the model that the
// environment names: ROCM_LLAMA_SERVER_PATH (or PATH), ROCM_BENCH_MODEL, and optionally
// ROCM_BENCH_BACKEND (rocm). Context 2048 a slot. What was wrong with them is put right: tokens are
// counted by the server, decode excludes prefill, the prompt cache is off, and every iteration
// counts. Prompts are those of scenarios/seed.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "backend/base/clock.h"

namespace rocm {
namespace {

std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

// One model at a time; loaded when the number of slots changes.
TextModel* Model(int slots, benchmark::State& state) {
  static std::unique_ptr<TextModel> model;
  static int loaded_slots = 0;
  if (model != nullptr && loaded_slots == slots && model->Alive()) return model.get();
  model.reset();
  const std::string path = FromEnvironment("ROCM_BENCH_MODEL", "");
  if (path.empty()) {
    state.SkipWithError("ROCM_BENCH_MODEL names no GGUF file");
    return nullptr;
  }
  const auto backend = GetBackend(FromEnvironment("ROCM_BENCH_BACKEND", "rocm"));
  if (backend == nullptr) {
    state.SkipWithError("ROCM_BENCH_BACKEND names no registered backend");
    return nullptr;
  }
  LoadConfig config;
  config.context_len = 2048;
  config.parallel_slots = slots;
  auto loaded = backend->LoadModel(path, config);
  if (!loaded) {
    state.SkipWithError(ToString(loaded.error()).c_str());
    return nullptr;
  }
  model = std::move(*loaded);
  loaded_slots = slots;
  return model.get();
}

struct Timed {
  int tokens = 0;
  std::chrono::duration<double> to_first{0};
  std::chrono::duration<double> first_to_last{0};
};

Result<Timed> Run(TextModel& model, std::string_view prompt, int max_tokens) {
  GenerateConfig config;
  config.max_tokens = max_tokens;
  config.ignore_eos = true;
  config.cache_prompt = false;
  const TimePoint start = Now();
  auto stream = model.Generate(prompt, config);
  if (!stream) return Fail(stream.error());
  Timed timed;
  TimePoint first{}, last{};
  while (const Token* token = stream->Next()) {
    last = Now();
    if (timed.tokens == 0) first = last;
    timed.tokens += token->count;
  }
  const auto end = stream->Finish();
  if (!end) return Fail(end.error());
  timed.to_first = first - start;
  timed.first_to_last = last - first;
  return timed;
}

void BM_Decode(benchmark::State& state) {
  TextModel* model = Model(1, state);
  if (model == nullptr) return;
  double tokens = 0, seconds = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto timed = Run(*model, "Explain the theory of relativity in detail.", 128);
    if (!timed) return state.SkipWithError(ToString(timed.error()).c_str());
    tokens += timed->tokens - 1;
    seconds += timed->first_to_last.count();
  }
  state.counters["decode_tokens_per_s"] = tokens / seconds;
}
BENCHMARK(BM_Decode)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_TTFT(benchmark::State& state) {
  TextModel* model = Model(1, state);
  if (model == nullptr) return;
  double seconds = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto timed = Run(*model, "Hello", 1);
    if (!timed) return state.SkipWithError(ToString(timed.error()).c_str());
    seconds += timed->to_first.count();
    state.SetIterationTime(timed->to_first.count());
  }
  state.counters["ttft_ms"] = seconds * 1e3 / static_cast<double>(state.iterations());
}
BENCHMARK(BM_TTFT)->UseManualTime()->Unit(benchmark::kMillisecond);

void BM_Concurrent(benchmark::State& state) {
  TextModel* model = Model(4, state);
  if (model == nullptr) return;
  const std::array<std::string, 4> countries = {"France", "Germany", "Italy", "Spain"};
  double tokens = 0, seconds = 0;
  for ([[maybe_unused]] auto _ : state) {
    std::array<Result<Timed>, 4> results;
    const TimePoint start = Now();
    {
      std::vector<std::jthread> workers;
      for (std::size_t i = 0; i < countries.size(); ++i) {
        workers.emplace_back(
            [&, i] { results[i] = Run(*model, "The capital of " + countries[i] + " is", 32); });
      }
    }
    seconds += std::chrono::duration<double>(Now() - start).count();
    for (const auto& timed : results) {
      if (!timed) return state.SkipWithError(ToString(timed.error()).c_str());
      tokens += timed->tokens;
    }
  }
  state.counters["aggregate_tokens_per_s"] = tokens / seconds;
}
BENCHMARK(BM_Concurrent)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rocm
