// SPDX-License-Identifier: EUPL-1.2
// devices, models and estimate as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "backend/gguf/chain_model.h"
#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json Answer(const std::vector<std::string>& arguments) {
  BenchProcess bench(arguments);
  EXPECT_EQ(bench.Wait(), 0) << bench.err();
  return json::parse(bench.out());
}

std::string ChainModelIn(const ScratchFolder& folder, const std::string& name) {
  const std::string path = folder.At(name);
  EXPECT_TRUE(rocm::gguf::WriteChainModel(path).has_value());
  return path;
}

TEST(Devices, SaysOfEveryBackendWhetherItCanBeUsedAndWhyNot) {
  const json answer = Answer({"devices", "--json"});
  EXPECT_TRUE(answer["devices"].is_array());
  for (const char* name : {"rocm", "cuda", "vulkan", "sycl", "cpu"}) {
    const json& backend = answer["backends"][name];
    if (!backend["available"].get<bool>()) {
      ASSERT_FALSE(backend["reasons"].empty()) << name;
      EXPECT_FALSE(backend["reasons"][0].get<std::string>().empty());
    }
  }
}

TEST(Models, AreListedAndTheOthersSkippedWithTheReason) {
  const ScratchFolder folder;
  ChainModelIn(folder, "chain.gguf");
  folder.Write("broken.gguf", "GGUFno");
  const json answer = Answer({"models", folder.At(""), "--json"});
  ASSERT_EQ(answer["models"].size(), 1u);
  EXPECT_THAT(answer["models"][0]["path"].get<std::string>(), HasSubstr("chain.gguf"));
  EXPECT_EQ(answer["models"][0]["architecture"], "llama");
  EXPECT_EQ(answer["models"][0]["context_length"], 65'536);
  ASSERT_EQ(answer["skipped"].size(), 1u);
  EXPECT_THAT(answer["skipped"][0]["path"].get<std::string>(), HasSubstr("broken.gguf"));
  EXPECT_FALSE(answer["skipped"][0]["reason"].get<std::string>().empty());

  BenchProcess text({"models", folder.At("")});
  EXPECT_EQ(text.Wait(), 0);
  EXPECT_THAT(text.out(), HasSubstr("chain.gguf  llama "));
  EXPECT_THAT(text.out(), HasSubstr("broken.gguf  skipped: "));
}

TEST(Models, OfTheConfiguredFolderWhenNoneIsGiven) {
  const ScratchFolder folder;
  ChainModelIn(folder, "chain.gguf");
  ::unsetenv("ROCM_MODEL_DIR");
  BenchProcess none({"models"});
  EXPECT_EQ(none.Wait(), 2);
  EXPECT_THAT(none.err(), HasSubstr("ROCM_MODEL_DIR"));
  ::setenv("ROCM_MODEL_DIR", folder.At("").c_str(), 1);
  EXPECT_EQ(Answer({"models", "--json"})["models"].size(), 1u);
  ::unsetenv("ROCM_MODEL_DIR");
}

TEST(Models, OfAFolderThatIsNotThereIsBadInput) {
  BenchProcess bench({"models", "/nonexistent/models"});
  EXPECT_EQ(bench.Wait(), 2);
  EXPECT_THAT(bench.err(), HasSubstr("/nonexistent/models"));
}

TEST(Estimate, IsTheSumOfItsPartsAndGrowsWithSlots) {
  const ScratchFolder folder;
  const std::string model = ChainModelIn(folder, "chain.gguf");
  const auto estimate = [&](const std::string& slots) {
    return Answer({"estimate", model, "--context", "4096", "--slots", slots, "--json"});
  };
  const json one = estimate("1");
  const json four = estimate("4");
  for (const char* side : {"device", "host"}) {
    const json& s = one[side];
    EXPECT_EQ(s["total_bytes"].get<std::int64_t>(),
              s["weights_bytes"].get<std::int64_t>() + s["kv_bytes"].get<std::int64_t>() +
                  s["compute_bytes"].get<std::int64_t>() + s["overhead_bytes"].get<std::int64_t>());
  }
  EXPECT_EQ(one["context_per_slot"], 4096);
  EXPECT_EQ(four["device"]["kv_bytes"].get<std::int64_t>(),
            4 * one["device"]["kv_bytes"].get<std::int64_t>());
  EXPECT_GT(one["device"]["kv_bytes"].get<std::int64_t>(), 0);
}

TEST(Estimate, OfAMissingOrBrokenFileIsOneLine) {
  const ScratchFolder folder;
  for (const std::string& file : {folder.At("none.gguf"), folder.Write("bad.gguf", "GGUFno")}) {
    BenchProcess bench({"estimate", file});
    EXPECT_EQ(bench.Wait(), 2);
    EXPECT_THAT(bench.err(), HasSubstr(file));
    EXPECT_EQ(std::ranges::count(bench.err(), '\n'), 1) << bench.err();
  }
}

}  // namespace
}  // namespace harness::testing
