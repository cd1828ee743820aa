// SPDX-License-Identifier: EUPL-1.2
// Runs the fuzz target without a fuzzer: over the stored logs and seeded damages of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "backend/process/testing/support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace rocm::llama_server {
namespace {

void Replay(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::vector<std::string> Corpus() {
  std::vector<std::filesystem::path> paths;
  const std::filesystem::path folder = std::filesystem::path(std::getenv("ROCM_TEST_SOURCE_DIR")) /
                                       "backend/llama_server/log_corpus";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

TEST(LogReplayTest, TheCorpusAndItsDamagesKeepThePromises) {
  const std::vector<std::string> corpus = Corpus();
  ASSERT_GE(corpus.size(), 4u);
  for (const std::string& bytes : corpus) Replay(bytes);
  std::mt19937 random(3);
  for (int i = 0; i < process::test::Rounds(4000); ++i) {
    std::string bytes = corpus[random() % corpus.size()];
    bytes = bytes.substr(random() % bytes.size(), 1 + random() % 3000);
    for (std::size_t damages = random() % 20; damages > 0; --damages) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0: bytes[at] = static_cast<char>(random()); break;
        case 1: bytes.insert(at, bytes.substr(at, random() % 64)); break;
        default:
          if (bytes.size() > 64) bytes.erase(at, random() % 32);
      }
    }
    Replay(bytes);
  }
}

}  // namespace
}  // namespace rocm::llama_server
