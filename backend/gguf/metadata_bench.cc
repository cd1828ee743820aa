// SPDX-License-Identifier: EUPL-1.2
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "backend/gguf/estimate.h"
#include "backend/gguf/metadata.h"
#include "backend/gguf/parser.h"
#include "backend/gguf/synthetic_model.h"

namespace rocm::gguf {
namespace {

// A file like the real one, but with narrow layers: the same keys, vocabulary and tensors' names.
ModelShape Narrow(const std::string& name) {
  ModelShape shape = *FindModelShape(name);
  shape.width = 32;
  shape.feed_forward = 32;
  shape.heads = 1;
  shape.kv_heads = 1;
  shape.head_width = 32;
  return shape;
}

class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "bench-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string File() const { return path_ + "/model.gguf"; }

 private:
  std::string path_;
};

void ReadFile(benchmark::State& state, const std::string& name) {
  const Folder folder;
  const ModelShape shape = Narrow(name);
  if (!WriteSyntheticModel(folder.File(), shape, WeightType::kQ4_0)) std::abort();
  std::uint64_t keys_bytes = 0;
  for (auto _ : state) {
    const auto metadata = ReadMetadata(folder.File());
    if (!metadata) std::abort();
    keys_bytes = metadata->file_bytes - metadata->tensor_bytes;
    benchmark::DoNotOptimize(metadata);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(keys_bytes));
}
BENCHMARK_CAPTURE(ReadFile, gemma3_1b, std::string("gemma3-1b"))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ReadFile, llama_3_1_8b, std::string("llama-3.1-8b"))
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ReadFile, llama_2_7b, std::string("llama-2-7b"))->Unit(benchmark::kMillisecond);

void Estimate(benchmark::State& state) {
  const Metadata metadata = SyntheticModelMetadata(Narrow("gemma3-27b"), WeightType::kQ4_0);
  for (auto _ : state) {
    benchmark::DoNotOptimize(EstimateMemory(metadata, {.context_per_slot = 4096, .slots = 4}));
  }
}
BENCHMARK(Estimate)->Unit(benchmark::kMicrosecond);

void WriteModel(benchmark::State& state) {
  const Folder folder;
  const ModelShape& shape = *FindModelShape("gemma3-1b");
  for (auto _ : state) {
    if (!WriteSyntheticModel(folder.File(), shape, WeightType::kQ4_0)) std::abort();
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(SyntheticModelBytes(shape, WeightType::kQ4_0)));
}
BENCHMARK(WriteModel)->Unit(benchmark::kMillisecond)->Iterations(3)->UseRealTime();

}  // namespace
}  // namespace rocm::gguf
