// SPDX-License-Identifier: EUPL-1.2
// Runs a fuzz target without a fuzzer: over the captures, and seeded damages of them.
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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::string> Corpus() {
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  const std::filesystem::path folder =
      std::filesystem::path(source == nullptr ? "." : source) / "backend/wire/testdata";
  std::vector<std::filesystem::path> paths;
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

void Replay(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

TEST(FuzzReplay, TheCaptures) {
  const auto corpus = Corpus();
  ASSERT_GE(corpus.size(), 50U);
  for (const std::string& bytes : corpus) Replay(bytes);
  Replay("");
}

TEST(FuzzReplay, DamagedCaptures) {
  const auto corpus = Corpus();
  std::mt19937 random(5);
  for (int round = std::getenv("ROCM_SOAK") != nullptr ? 20'000 : 1'000; round > 0; --round) {
    std::string bytes = corpus[random() % corpus.size()];
    for (auto changes = random() % 8; changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0: bytes[at] = static_cast<char>(random()); break;
        case 1: bytes.erase(at, random() % 40); break;
        case 2: bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 40)); break;
        default: bytes.resize(at); break;
      }
    }
    Replay(bytes);
  }
}

}  // namespace
