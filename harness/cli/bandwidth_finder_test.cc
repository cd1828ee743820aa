// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/bandwidth_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backend/gguf/chain_model.h"
#include "backend/gguf/decode_reads.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

class BandwidthFinderTest : public ::testing::Test {
 protected:
  BandwidthFinderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "bandwidth-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    options_.kind = TargetKind::kLlamaServer;
    options_.model = (folder_ / "chain.gguf").string();
    if (!rocm::gguf::WriteChainModel(options_.model)) std::abort();
    server_.kind = TargetKind::kLlamaServer;
    server_.backend = "rocm";
    server_.layers = server_.applied.gpu_layers = 3;
    server_.gpus = {{"AMD Radeon RX 7800 XT", std::uint64_t{16} << 30}};
  }
  ~BandwidthFinderTest() override { std::filesystem::remove_all(folder_); }
  // Why nothing is said.
  std::string Reason(std::optional<double> given = std::nullopt) {
    BandwidthFinder finder(options_, given);
    EXPECT_FALSE(finder.Find(server_));
    return finder.detail().value("not_known", "");
  }
  std::filesystem::path folder_;
  TargetOptions options_;
  TargetFacts server_;
};

TEST_F(BandwidthFinderTest, OfTheCardThatHoldsTheModel) {
  BandwidthFinder finder(options_, std::nullopt);
  const auto limit = finder.Find(server_);
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->bytes_per_second, 624e9);
  const auto metadata = rocm::gguf::ReadMetadata(options_.model);
  EXPECT_EQ(limit->weight_bytes_per_token, rocm::gguf::WeightsReadPerToken(*metadata).bytes);
  EXPECT_EQ(finder.detail().at("source"), "table: RX 7800 XT");
  server_.gpus.push_back(server_.gpus.front());
  EXPECT_EQ(finder.Find(server_)->bytes_per_second, 624e9) << "one card after the other";
}

TEST_F(BandwidthFinderTest, WhatIsGivenCountsForAnyTarget) {
  server_.kind = TargetKind::kMock;
  BandwidthFinder finder(options_, 100.0);
  EXPECT_EQ(finder.Find(server_)->bytes_per_second, 100e9);
  EXPECT_EQ(finder.detail().at("source"), "given");
  EXPECT_THAT(Reason(), HasSubstr("mock"));
}

TEST_F(BandwidthFinderTest, NothingIsGuessed) {
  server_.applied.gpu_layers = 2;
  EXPECT_THAT(Reason(), HasSubstr("two memories"));
  server_.applied.gpu_layers = 3;
  server_.gpus.push_back({"NVIDIA GeForce RTX 4090", 0});
  EXPECT_THAT(Reason(), HasSubstr("different bandwidth"));
  server_.gpus = {{"AMD gfx9999", 0}};
  EXPECT_THAT(Reason(), HasSubstr("AMD gfx9999 is not in the table: give --bandwidth"));
  server_.gpus.clear();
  EXPECT_THAT(Reason(), HasSubstr("names no GPU"));
  options_.kind = TargetKind::kAttached;
  EXPECT_THAT(Reason(100.0), HasSubstr("not at hand"));
}

TEST_F(BandwidthFinderTest, ASmallModelMeasuresTheCache) {
  if (LastLevelCacheBytes() < 4u << 20) GTEST_SKIP() << "this processor does not say its caches";
  server_.backend = "cpu";
  EXPECT_THAT(Reason(), HasSubstr("caches"));
}

}  // namespace
}  // namespace harness
