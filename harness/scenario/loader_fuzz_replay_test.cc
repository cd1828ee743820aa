// SPDX-License-Identifier: EUPL-1.2
#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "backend/base/testing/fuzzing.h"
#include "backend/base/testing/soak.h"

namespace harness {
namespace {

using rocm::fuzzing::Replay;

std::vector<std::string> Shipped() { return rocm::fuzzing::Corpus("scenarios", ".json"); }

TEST(LoaderFuzz, ShippedFilesMutatedAndCut) {
  const auto corpus = Shipped();
  ASSERT_FALSE(corpus.empty());
  std::mt19937 random(1);
  constexpr std::string_view kPieces[] = {
      "{",     "}", "[",  "]",  ":",  ",",  "\"",   "null", "-1",
      "1e999", "0", "\\", "\n", "/*", "//", "true", "\x80", "18446744073709551615"};
  const int rounds = rocm::QuickOrFull(200, 20'000);
  for (const std::string& text : corpus) {
    Replay(text);
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
      Replay(mutated);
    }
  }
}

TEST(LoaderFuzz, CutAtEveryByte) {
  for (const std::string& text : Shipped()) {
    for (std::size_t n = 0; n < text.size(); n += 1) Replay(text.substr(0, n));
  }
}

}  // namespace
}  // namespace harness
