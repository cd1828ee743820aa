// SPDX-License-Identifier: EUPL-1.2
// What decoding costs: bytes per second over a stream of events, and time per event. Reads arrive
// in pieces of the given size, so that events are split as a socket splits them.
#include <benchmark/benchmark.h>

#include <string>

#include "backend/wire/completion_decoder.h"
#include "backend/wire/completion_request.h"
#include "backend/wire/sse_decoder.h"

namespace rocm::wire {
namespace {

constexpr int kEvents = 512;

std::string Stream(Api api) {
  std::string out;
  for (int i = 0; i < kEvents; ++i) {
    const std::string n = std::to_string(100 + i % 900);
    switch (api) {
      case Api::kNative:
        out += "data: {\"index\":0,\"content\":\" w" + n + "\",\"tokens\":[" + n +
               "],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":" + std::to_string(i + 1) +
               ",\"tokens_evaluated\":6}\n\n";
        break;
      case Api::kCompletion:
        out += "data: {\"choices\":[{\"text\":\" w" + n +
               "\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"created\":1795163380,"
               "\"model\":\"tiny-llama.gguf\",\"system_fingerprint\":\"b11669-Debian\","
               "\"object\":\"text_completion\","
               "\"id\":\"chatcmpl-43ExNF0quwDY6vD2R7Ejv6qpri2UaAR0\"}\n\n";
        break;
      case Api::kChat:
        out +=
            "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\" w" +
            n +
            "\"}}],\"created\":1795163380,\"id\":\"chatcmpl-xSxISQ7YcDNYKyhGvZu9Lhs0Ily6caDi\","
            "\"model\":\"tiny-llama.gguf\",\"system_fingerprint\":\"b11669-Debian\","
            "\"object\":\"chat.completion.chunk\"}\n\n";
        break;
    }
  }
  return out;
}

void SetRates(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  state.counters["per_event"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kEvents,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <typename Sink>
void FeedInPieces(SseDecoder& sse, std::string_view stream, std::size_t piece, Sink&& sink) {
  while (!stream.empty()) {
    const std::string_view part = stream.substr(0, piece);
    stream.remove_prefix(part.size());
    benchmark::DoNotOptimize(sse.Feed(part, sink));
  }
}

// Framing alone.
void BM_SseDecode(benchmark::State& state) {
  const std::string stream = Stream(static_cast<Api>(state.range(0)));
  const auto piece = static_cast<std::size_t>(state.range(1));
  SseDecoder sse;
  for (auto _ : state) {
    std::size_t data = 0;
    FeedInPieces(sse, stream, piece, [&](const SseEvent& event) {
      data += event.data.size();
      return true;
    });
    benchmark::DoNotOptimize(data);
  }
  SetRates(state, stream.size());
}

// Framing, JSON and meaning: all that a stream's bytes go through.
void BM_DecodeCompletions(benchmark::State& state) {
  const auto api = static_cast<Api>(state.range(0));
  const std::string stream = Stream(api);
  const auto piece = static_cast<std::size_t>(state.range(1));
  CompletionDelta delta;
  for (auto _ : state) {
    SseDecoder sse({.report_error_lines = true});
    CompletionDecoder decoder(api);
    FeedInPieces(sse, stream, piece, [&](const SseEvent& event) {
      decoder.Decode(event, delta);
      benchmark::DoNotOptimize(delta.text.data());
      return true;
    });
    if (decoder.failed() || decoder.events() != kEvents) state.SkipWithError("decoding failed");
  }
  SetRates(state, stream.size());
}

void BM_BuildRequest(benchmark::State& state) {
  const std::string prompt(static_cast<std::size_t>(state.range(0)), 'a');
  const GenerateConfig config;
  for (auto _ : state) {
    benchmark::DoNotOptimize(BuildRequest(Api::kNative, std::string_view(prompt), config));
  }
}

void Arguments(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"api", "read"});
  for (const Api api : {Api::kNative, Api::kCompletion, Api::kChat}) {
    for (const std::int64_t read : {300, 4096, 65536}) {
      bench->Args({static_cast<std::int64_t>(api), read});
    }
  }
}

BENCHMARK(BM_SseDecode)->Apply(Arguments);
BENCHMARK(BM_DecodeCompletions)->Apply(Arguments);
BENCHMARK(BM_BuildRequest)->Arg(100)->Arg(100'000);

}  // namespace
}  // namespace rocm::wire
