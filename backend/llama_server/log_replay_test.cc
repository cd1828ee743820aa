// SPDX-License-Identifier: EUPL-1.2
// Runs the fuzz target without a fuzzer: over the stored logs and seeded damages of them.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "backend/base/testing/fuzzing.h"
#include "backend/process/testing/support.h"

namespace rocm::llama_server {
namespace {

using fuzzing::Replay;

TEST(LogReplayTest, TheCorpusAndItsDamagesKeepThePromises) {
  const std::vector<std::string> corpus = fuzzing::Corpus("backend/llama_server/log_corpus");
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
