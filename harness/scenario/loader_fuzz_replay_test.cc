// SPDX-License-Identifier: EUPL-1.2
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace harness {
namespace {

void Feed(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

std::vector<std::string> Corpus() {
  std::vector<std::string> corpus;
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  if (source == nullptr) return corpus;
  const std::filesystem::path root = std::filesystem::path(source) / "scenarios";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

TEST(LoaderFuzz, ShippedFilesMutatedAndCut) {
  const bool soak = std::getenv("ROCM_SOAK") != nullptr;
  const auto corpus = Corpus();
  ASSERT_FALSE(corpus.empty());
  std::mt19937 random(1);
  constexpr std::string_view kPieces[] = {
      "{",     "}", "[",  "]",  ":",  ",",  "\"",   "null", "-1",
      "1e999", "0", "\\", "\n", "/*", "//", "true", "\x80", "18446744073709551615"};
  const int rounds = soak ? 20'000 : 200;
  for (const std::string& text : corpus) {
    Feed(text);
    for (int i = 0; i < rounds; ++i) {
      std::string mutated = text;
      for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
        const std::size_t at = random() % (mutated.size() + 1);
        const std::string_view piece = kPieces[random() % std::size(kPieces)];
        switch (random() % 3) {
          case 0: mutated.insert(at, piece); break;
          case 1: mutated.erase(at, random() % 12); break;
          default: mutated.replace(at, std::min<std::size_t>(3, mutated.size() - at), piece);
        }
      }
      Feed(mutated);
    }
  }
}

TEST(LoaderFuzz, CutAtEveryByte) {
  for (const std::string& text : Corpus()) {
    for (std::size_t n = 0; n < text.size(); n += 1) Feed(text.substr(0, n));
  }
}

}  // namespace
}  // namespace harness
