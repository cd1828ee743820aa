// SPDX-License-Identifier: EUPL-1.2
// Runs the fuzz target without a fuzzer: over the stored corpus, the handmade cases, and seeded
// mutations of both.
#include <gtest/gtest.h>

#include <algorithm>

#include "backend/base/testing/fuzzing.h"
#include "backend/base/testing/soak.h"
#include "backend/gguf/metadata_cases_for_tests.h"
#include "backend/gguf/random.h"

namespace rocm::gguf {
namespace {

using fuzzing::Replay;

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = {EveryKindOfKey(2), EveryKindOfKey(3)};
  for (const MetadataCase& one : MetadataCases()) seeds.push_back(one.bytes);
  for (std::string& bytes : fuzzing::Corpus("backend/gguf/metadata_corpus")) {
    seeds.push_back(std::move(bytes));
  }
  return seeds;
}

// One to four small damages: a byte, a bit, a length blown up, a piece cut out or doubled.
std::string Damage(std::string bytes, Random& random) {
  for (std::uint64_t rounds = 1 + random.Next() % 4; rounds > 0 && !bytes.empty(); --rounds) {
    const std::size_t at = random.Next() % bytes.size();
    const std::size_t length = std::min<std::size_t>(1 + random.Next() % 16, bytes.size() - at);
    switch (random.Next() % 5) {
      case 0: bytes[at] = static_cast<char>(random.Next()); break;
      case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Next() % 8)); break;
      case 2: bytes.replace(at, length, length, '\xff'); break;
      case 3: bytes.erase(at, length); break;
      default: bytes.insert(at, bytes.substr(at, length)); break;
    }
  }
  return bytes;
}

TEST(MetadataReplay, SeedsAndTheirMutationsKeepThePromises) {
  const std::vector<std::string> seeds = Seeds();
  for (const std::string& seed : seeds) Replay(seed);
  Random random(20240601);
  const int rounds = QuickOrFull(20'000, 1'000'000);
  for (int i = 0; i < rounds; ++i) Replay(Damage(seeds[random.Next() % seeds.size()], random));
}

}  // namespace
}  // namespace rocm::gguf
