// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/synthetic_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "backend/gguf/metadata.h"
#include "backend/gguf/random_weights.h"
#include "backend/gguf/temporary_folder_for_tests.h"

namespace rocm::gguf {

static void PrintTo(const ModelShape& shape, std::ostream* out) { *out << shape.name; }

namespace {

using ::testing::HasSubstr;

// A shape of the same kind with little in it, so that files stay small.
ModelShape Small(std::string_view name) {
  ModelShape shape = *FindModelShape(name);
  shape.layers = 2;
  shape.width = 256;
  shape.feed_forward = 512;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.head_width = 64;
  shape.vocabulary = 3000;
  return shape;
}

std::string ReadAll(const std::string& path) {
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<long>(bytes.size()));
  return bytes;
}

double FromHalf(std::uint16_t half) {
  const int exponent = half >> 10 & 31;
  EXPECT_LT(exponent, 31) << "infinite";
  const double value = exponent == 0 ? std::ldexp(half & 1023, -24)
                                     : std::ldexp(1.0 + (half & 1023) / 1024.0, exponent - 15);
  return (half & 0x8000) != 0 ? -value : value;
}

// The weights that a block stands for, by GGML's definition of the formats.
std::vector<double> Decode(TensorType type, const std::uint8_t* block) {
  const auto half = [&](int at) {
    return FromHalf(static_cast<std::uint16_t>(block[at] | block[at + 1] << 8));
  };
  std::vector<double> out;
  switch (type) {
    case TensorType::kF16: return {half(0)};
    case TensorType::kQ4_0:
      for (int i = 0; i < 16; ++i) out.push_back(half(0) * ((block[2 + i] & 15) - 8));
      for (int i = 0; i < 16; ++i) out.push_back(half(0) * ((block[2 + i] >> 4) - 8));
      return out;
    case TensorType::kQ8_0:
      for (int i = 0; i < 32; ++i) out.push_back(half(0) * static_cast<std::int8_t>(block[2 + i]));
      return out;
    case TensorType::kQ6_K:
      for (int i = 0; i < 256; ++i) {
        const int in_half = i % 128;
        const int low = block[i / 128 * 64 + in_half % 64] >> (in_half < 64 ? 0 : 4) & 15;
        const int high = block[128 + i / 128 * 32 + in_half % 32] >> (in_half / 32 * 2) & 3;
        const auto scale = static_cast<std::int8_t>(block[192 + i / 16]);
        out.push_back(half(208) * scale * ((low | high << 4) - 32));
      }
      return out;
    case TensorType::kF32: break;
  }
  return out;
}

class RandomWeightsTest : public ::testing::TestWithParam<TensorType> {};

TEST_P(RandomWeightsTest, AreCentredFiniteAndOfTheDeviationAskedFor) {
  const TensorTypeTraits& traits = TraitsOf(GetParam());
  const auto size = static_cast<std::size_t>(traits.block_bytes);
  constexpr int kBlocks = 5000;
  std::vector<std::byte> bytes(size * kBlocks);
  Random random(3);
  FillRandomWeights(GetParam(), 0.03, random, bytes);
  double sum = 0;
  double squares = 0;
  std::size_t count = 0;
  std::set<std::string> blocks;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const auto* block = reinterpret_cast<const std::uint8_t*>(bytes.data() + at);
    if (size > 2) {
      EXPECT_TRUE(blocks.emplace(reinterpret_cast<const char*>(block), size).second) << "repeated";
    }
    for (const double value : Decode(GetParam(), block)) {
      ASSERT_TRUE(std::isfinite(value));
      sum += value;
      squares += value * value;
      ++count;
    }
  }
  EXPECT_EQ(count, kBlocks * static_cast<unsigned>(traits.block_elements));
  const double deviation = std::sqrt(squares / static_cast<double>(count));
  // F16 can only take powers of two.
  const double off = GetParam() == TensorType::kF16 ? 0.45 : 0.03;
  EXPECT_NEAR(deviation / 0.03, 1.0, off);
  // Five standard errors of the mean, where blocks share the sign of their scale.
  EXPECT_LT(std::fabs(sum / static_cast<double>(count)) / deviation, 5 / std::sqrt(double{kBlocks}))
      << "no common part";
}

INSTANTIATE_TEST_SUITE_P(Gguf, RandomWeightsTest,
                         ::testing::Values(TensorType::kF16, TensorType::kQ4_0, TensorType::kQ8_0,
                                           TensorType::kQ6_K),
                         [](const auto& one) { return std::string(TraitsOf(one.param).name); });

TEST(ToHalfTest, RoundsToNearest) {
  EXPECT_EQ(ToHalf(1.0), 0x3c00);
  EXPECT_EQ(ToHalf(-2.0), 0xc000);
  EXPECT_EQ(ToHalf(0.333251953125), 0x3555);
  EXPECT_EQ(ToHalf(0.99999), 0x3c00) << "up to the next power of two";
  EXPECT_EQ(ToHalf(65504.0), 0x7bff);
  EXPECT_EQ(ToHalf(0x1.0p-14), 0x0400);
  EXPECT_EQ(ToHalf(0x1.8p-16), 0x0180) << "below the normal range";
  EXPECT_EQ(ToHalf(0x1.0p-24), 0x0001);
}

class ShapeTest : public ::testing::TestWithParam<ModelShape> {};

TEST_P(ShapeTest, FileSaysWhatTheShapeSays) {
  const TemporaryFolder folder;
  const ModelShape shape = Small(GetParam().name);
  const std::string path = folder / "m.gguf";
  for (const WeightType type : {WeightType::kQ4_0, WeightType::kQ8_0, WeightType::kF16}) {
    std::uint64_t last = 0;
    std::uint64_t total = 0;
    const auto progress = [&](std::uint64_t done, std::uint64_t all) {
      EXPECT_GT(done, last);
      last = done;
      total = all;
    };
    ASSERT_TRUE(WriteSyntheticModel(path, shape, type, 5, progress));
    EXPECT_EQ(last, total);
    EXPECT_EQ(std::filesystem::file_size(path), SyntheticModelBytes(shape, type));
    const auto metadata = ReadMetadata(path);
    ASSERT_TRUE(metadata) << metadata.error().message;
    EXPECT_EQ(metadata->architecture, shape.architecture);
    EXPECT_EQ(metadata->name, "synthetic " + std::string(shape.name));
    EXPECT_EQ(metadata->vocab_size, 3000);
    EXPECT_EQ(metadata->layers, 2);
    EXPECT_EQ(metadata->hidden_size, 256);
    EXPECT_EQ(metadata->context_length, static_cast<int>(GetParam().context));
    EXPECT_EQ(metadata->quantisation, type == WeightType::kQ4_0   ? "Q4_0"
                                      : type == WeightType::kQ8_0 ? "Q8_0"
                                                                  : "F16");
    EXPECT_TRUE(metadata->has_chat_template);
    const Metadata before = SyntheticModelMetadata(shape, type);
    EXPECT_EQ(before.file_bytes, metadata->file_bytes);
    EXPECT_EQ(before.tensor_bytes, metadata->tensor_bytes);
    EXPECT_EQ(before.values.size(), metadata->values.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Gguf, ShapeTest, ::testing::ValuesIn(ModelShapes()), [](const auto& one) {
  std::string name(one.param.name);
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
});

TEST(SyntheticModelTest, SizesAreThoseOfTheRealModels) {
  const auto gib = [](std::string_view name, WeightType type) {
    return static_cast<double>(SyntheticModelBytes(*FindModelShape(name), type)) / (1u << 30);
  };
  // llama.cpp's scoreboards list llama-2-7B Q4_0 as 3.56 GiB.
  EXPECT_NEAR(gib("llama-2-7b", WeightType::kQ4_0), 3.56, 0.01);
  EXPECT_NEAR(gib("gemma3-1b", WeightType::kQ4_0), 0.67, 0.01);
  EXPECT_NEAR(gib("llama-3.1-8b", WeightType::kF16), 14.96, 0.01);
}

TEST(SyntheticModelTest, SameSeedSameBytesOtherSeedOthers) {
  const TemporaryFolder folder;
  const ModelShape shape = Small("llama-2-7b");
  ASSERT_TRUE(WriteSyntheticModel(folder / "a", shape, WeightType::kQ4_0, 1));
  ASSERT_TRUE(WriteSyntheticModel(folder / "b", shape, WeightType::kQ4_0, 1));
  ASSERT_TRUE(WriteSyntheticModel(folder / "c", shape, WeightType::kQ4_0, 2));
  EXPECT_TRUE(ReadAll(folder / "a") == ReadAll(folder / "b"));
  EXPECT_FALSE(ReadAll(folder / "a") == ReadAll(folder / "c"));
}

TEST(SyntheticModelTest, NamesOfShapesAndTypes) {
  EXPECT_EQ(FindModelShape("gemma3-2b"), nullptr);
  EXPECT_EQ(ParseWeightType("q4_0"), WeightType::kQ4_0);
  EXPECT_EQ(ParseWeightType("f16"), WeightType::kF16);
  EXPECT_EQ(ParseWeightType("q4_k"), std::nullopt);
}

TEST(WriterTest, AFileThatTheDiskHasNoRoomForIsRefusedBeforeTheFirstByte) {
  const TemporaryFolder folder;
  Writer writer("llama");
  writer.AddTensor("huge", {std::uint64_t{1} << 55}, TensorType::kQ8_0);
  bool asked = false;
  const auto result =
      writer.Write(folder / "huge.gguf", [&](const auto&, std::span<std::byte>) { asked = true; });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kIo);
  EXPECT_THAT(result.error().message, HasSubstr("huge.gguf needs 38280596.83 GB, but"));
  EXPECT_FALSE(asked);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(WriterTest, AFolderThatIsNotThereIsNamed) {
  const auto result = Writer("llama").Write("/nowhere/at/all/x.gguf", {});
  ASSERT_FALSE(result);
  EXPECT_EQ(ToString(result.error()),
            "io: cannot write into /nowhere/at/all: No such file or directory");
}

TEST(WriterTest, AWriteThatFailsHalfwayLeavesNothing) {
  const TemporaryFolder folder;
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit low = {20u << 20, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  Writer writer("llama");
  writer.AddTensor("t", {32, 1u << 20}, TensorType::kQ8_0);
  const auto result = writer.Write(folder / "x.gguf", [](const auto&, std::span<std::byte> piece) {
    std::memset(piece.data(), 1, piece.size());
  });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("x.gguf: File too large"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace rocm::gguf
