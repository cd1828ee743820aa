// SPDX-License-Identifier: EUPL-1.2
// Runs a fuzz target without a fuzzer: over the captures, and seeded damages of them.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "backend/base/testing/fuzzing.h"
#include "backend/base/testing/soak.h"

namespace {

using rocm::fuzzing::Replay;

std::vector<std::string> Captures() { return rocm::fuzzing::Corpus("backend/wire/testdata"); }

TEST(FuzzReplay, TheCaptures) {
  const auto corpus = Captures();
  ASSERT_GE(corpus.size(), 50U);
  for (const std::string& bytes : corpus) Replay(bytes);
  Replay("");
}

TEST(FuzzReplay, DamagedCaptures) {
  const auto corpus = Captures();
  std::mt19937 random(5);
  for (int round = rocm::QuickOrFull(1'000, 20'000); round > 0; --round) {
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
