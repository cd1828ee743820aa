// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/decode_reads.h"

#include <gtest/gtest.h>

#include <numeric>

#include "backend/gguf/synthetic_model.h"

namespace rocm::gguf {
namespace {

Metadata ModelOf(std::vector<TensorInfo> tensors) {
  Metadata metadata;
  metadata.architecture = "llama";
  metadata.tensors = std::move(tensors);
  return metadata;
}

TEST(DecodeReads, OneRowOfAnEmbeddingThatIsNotTheOutput) {
  // 10 tokens, 4 wide, f16: 8 bytes a row.
  const Metadata untied = ModelOf({{"token_embd.weight", {4, 10}, 1, 80},
                                   {"output.weight", {4, 10}, 1, 80},
                                   {"output_norm.weight", {4}, 0, 16}});
  EXPECT_EQ(WeightsReadPerToken(untied).bytes, 8u + 80u + 16u);
  const Metadata tied =
      ModelOf({{"token_embd.weight", {4, 10}, 1, 80}, {"output_norm.weight", {4}, 0, 16}});
  EXPECT_EQ(WeightsReadPerToken(tied).bytes, 80u + 16u);
  EXPECT_FALSE(WeightsReadPerToken(tied).experts);
}

TEST(DecodeReads, OnlyTheExpertsInUse) {
  Metadata metadata = ModelOf({{"output.weight", {4, 10}, 1, 80},
                               {"blk.0.ffn_gate_inp.weight", {4, 8}, 0, 128},
                               {"blk.0.ffn_up_exps.weight", {4, 4, 8}, 1, 256}});
  // Without the keys nothing is assumed.
  EXPECT_EQ(WeightsReadPerToken(metadata).bytes, 80u + 128u + 256u);
  metadata.values["llama.expert_count"] = std::uint64_t{8};
  metadata.values["llama.expert_used_count"] = std::uint64_t{2};
  EXPECT_EQ(WeightsReadPerToken(metadata).bytes, 80u + 128u + 64u);
  EXPECT_TRUE(WeightsReadPerToken(metadata).experts);
}

TEST(DecodeReads, LayersForSpeculationAreNotEvaluated) {
  Metadata metadata = ModelOf({{"output.weight", {4, 10}, 1, 80},
                               {"blk.0.attn_q.weight", {4, 4}, 1, 32},
                               {"blk.1.attn_q.weight", {4, 4}, 1, 32},
                               {"blk.1.nextn.eh_proj.weight", {4, 4}, 1, 32}});
  metadata.values["llama.block_count"] = std::uint64_t{2};
  EXPECT_EQ(WeightsReadPerToken(metadata).bytes, 80u + 96u);
  metadata.values["llama.nextn_predict_layers"] = std::uint64_t{1};
  EXPECT_EQ(WeightsReadPerToken(metadata).bytes, 80u + 32u);
}

TEST(DecodeReads, RealShapes) {
  const auto sum = [](const Metadata& metadata) {
    return std::accumulate(
        metadata.tensors.begin(), metadata.tensors.end(), std::uint64_t{0},
        [](std::uint64_t total, const TensorInfo& tensor) { return total + tensor.bytes; });
  };
  // Gemma's output is its embedding: everything is read. Llama's is not: all but one table of
  // 128,256 rows.
  const Metadata gemma = SyntheticModelMetadata(*FindModelShape("gemma3-1b"), WeightType::kQ4_0);
  EXPECT_EQ(WeightsReadPerToken(gemma).bytes, sum(gemma));
  const Metadata llama = SyntheticModelMetadata(*FindModelShape("llama-3.1-8b"), WeightType::kQ4_0);
  std::uint64_t table = 0;
  for (const TensorInfo& tensor : llama.tensors) {
    if (tensor.name == "token_embd.weight") table = tensor.bytes;
  }
  ASSERT_GT(table, 0u);
  EXPECT_EQ(WeightsReadPerToken(llama).bytes, sum(llama) - table + table / 128'256);
}

TEST(DecodeReads, OddTensorsDoNoHarm) {
  EXPECT_EQ(WeightsReadPerToken(ModelOf({})).bytes, 0u);
  EXPECT_EQ(
      WeightsReadPerToken(ModelOf({{"token_embd.weight", {}, 0, 4}, {"output.weight", {}, 0, 4}}))
          .bytes,
      8u);
  EXPECT_EQ(WeightsReadPerToken(
                ModelOf({{"token_embd.weight", {0, 5}, 0, 0}, {"output.weight", {4}, 0, 16}}))
                .bytes,
            16u);
}

}  // namespace
}  // namespace rocm::gguf
