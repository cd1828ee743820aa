// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/metadata.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "backend/base/clock.h"
#include "backend/base/testing/soak.h"
#include "backend/gguf/chain_model.h"
#include "backend/gguf/metadata_cases_for_tests.h"
#include "backend/gguf/parser.h"
#include "backend/gguf/shards.h"
#include "backend/gguf/temporary_folder_for_tests.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Metadata> Parse(std::string_view bytes) {
  return ParseMetadata(MemoryInput(std::as_bytes(std::span(bytes.data(), bytes.size()))));
}

class MetadataCaseTest : public ::testing::TestWithParam<MetadataCase> {};

TEST_P(MetadataCaseTest, PassesOrIsRefusedForItsOwnReason) {
  const Result<Metadata> result = Parse(GetParam().bytes);
  if (GetParam().refusal.empty()) {
    EXPECT_TRUE(result) << result.error().message;
    return;
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kModelInvalid);
  EXPECT_THAT(result.error().message, HasSubstr(GetParam().refusal));
}

INSTANTIATE_TEST_SUITE_P(Gguf, MetadataCaseTest, ::testing::ValuesIn(MetadataCases()),
                         [](const auto& one) { return one.param.name; });

TEST(MetadataTest, EveryRefusalSaysSomethingElse) {
  std::set<std::string> messages;
  int refused = 0;
  for (const MetadataCase& one : MetadataCases()) {
    if (one.refusal.empty()) continue;
    ++refused;
    messages.insert(Parse(one.bytes).error().message);
  }
  EXPECT_EQ(static_cast<int>(messages.size()), refused);
}

TEST(MetadataTest, MessagesAreOneLineOfPrintableText) {
  for (const MetadataCase& one : MetadataCases()) {
    const auto result = Parse(one.bytes);
    if (result) continue;
    for (const char c : result.error().message) {
      ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << one.name;
    }
  }
}

TEST(MetadataTest, ReadsEveryKindOfKeyInVersions2And3) {
  for (const std::uint32_t version : {2u, 3u}) {
    const auto result = Parse(EveryKindOfKey(version));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->version, static_cast<int>(version));
    EXPECT_EQ(result->architecture, "t") << "although it comes last";
    EXPECT_EQ(result->name, "a name");
    EXPECT_EQ(result->quantisation, "Q4_K - Medium");
    EXPECT_EQ(result->context_length, 8192);
    EXPECT_EQ(result->layers, 2147483647) << "clamped, not negative";
    EXPECT_EQ(result->hidden_size, 64);
    EXPECT_EQ(result->vocab_size, 3);
    EXPECT_FALSE(result->has_chat_template);
    EXPECT_EQ(result->Unsigned("k.uint8"), 200u);
    EXPECT_EQ(result->Number("k.int8"), -100.0);
    EXPECT_EQ(result->Unsigned("k.int8"), std::nullopt) << "negative";
    EXPECT_EQ(result->Unsigned("k.uint16"), 60000u);
    EXPECT_EQ(result->Number("k.int16"), -30000.0);
    EXPECT_EQ(result->Number("k.int32"), -2000000000.0);
    EXPECT_EQ(result->Number("k.float32"), 1.5);
    EXPECT_EQ(result->Bool("k.bool"), true);
    EXPECT_EQ(result->Number("k.int64"), -5e9);
    EXPECT_EQ(result->Number("k.float64"), 2.25);
    EXPECT_EQ(result->Unsigned("general.name"), std::nullopt) << "of another kind";
    EXPECT_EQ(result->String("k.bool"), nullptr);
    ASSERT_NE(result->ArrayAt("k.int16s"), nullptr);
    EXPECT_THAT(result->ArrayAt("k.int16s")->elements, ElementsAre(-1.0, 2.0));
    EXPECT_THAT(result->ArrayAt("k.floats")->elements, ElementsAre(0.5));
    EXPECT_EQ(result->ArrayAt("k.long")->count, kMaxKeptElements + 1);
    EXPECT_TRUE(result->ArrayAt("k.long")->elements.empty()) << "long arrays are not kept";
    EXPECT_EQ(result->parameters, 64u * 3 + 64 * 64 + 1);
    EXPECT_EQ(result->tensor_bytes, 64u * 3 * 4 + 64 * 64 / 32 * 18 + 4);
    ASSERT_EQ(result->tensors.size(), 3u);
    EXPECT_EQ(result->tensors[1].name, "blk.0.attn_q.weight");
    EXPECT_THAT(result->tensors[1].shape, ElementsAre(64u, 64u));
    EXPECT_EQ(result->tensors[1].elements(), 4096u);
    EXPECT_EQ(result->tensors[1].bytes, 2304u);
  }
}

TEST(MetadataTest, TruncationAtEveryByteIsRefused) {
  for (const std::uint32_t version : {2u, 3u}) {
    const std::string whole = EveryKindOfKey(version);
    ASSERT_TRUE(Parse(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto result = Parse(std::string_view(whole).substr(0, size));
      ASSERT_FALSE(result) << size;
      ASSERT_EQ(result.error().code, ErrorCode::kModelInvalid);
      ASSERT_THAT(result.error().message, HasSubstr(size > 0 ? "cut short" : "empty")) << size;
    }
  }
}

TEST(MetadataTest, AModelCutAnywhereIsRefused) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteChainModel(folder / "chain.gguf"));
  std::ifstream file(folder / "chain.gguf", std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(file), {});
  ASSERT_TRUE(Parse(whole));
  // The keys take 40 kB, the rest is tensors; the last one's data fills its padding.
  const std::size_t step = QuickOrFull(199, 1);
  for (std::size_t size = 0; size < whole.size(); size += size < 50000 ? step : 50 * step) {
    ASSERT_FALSE(Parse(std::string_view(whole).substr(0, size))) << size;
  }
  ASSERT_FALSE(Parse(std::string_view(whole).substr(0, whole.size() - 1)));
}

TEST(MetadataTest, NoMoreThanTheBudgetIsKept) {
  RawFile file(3, 0, 5);
  const std::string text(kMaxStringBytes, 't');
  for (const char* key : {"a", "b", "c", "d", "e"}) file.StringKey(key, text);
  const auto result = Parse(file.bytes());
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("needs more than 64 MiB"));
}

TEST(MetadataTest, ArraysShareOneBudget) {
  RawFile file(3, 0, 2);
  file.Key("a", 9).Put(0u).Put(kMaxArrayElements);
  std::string bytes = file.bytes() + std::string(kMaxArrayElements, '\0');
  RawFile second;
  bytes += second.Key("b", 9).Put(0u).Put(std::uint64_t{1}).Put(std::uint8_t{0}).bytes();
  const auto result = Parse(bytes);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("key 'b' is an array of 1 elements; more than"));
}

TEST(MetadataTest, QuantisationIsGuessedWhereNoKeySaysIt) {
  RawFile file(3, 3, 0);
  file.Tensor("norm", {32}, 0, 0).Tensor("a", {32}, 2, 128).Tensor("b", {32}, 2, 160);
  const auto result = Parse(file.Data(160 + 18).bytes());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->quantisation, "(guessed) Q4_0");
  const auto unknown = Parse(RawFile(3, 0, 1).Uint32Key("general.file_type", 999).bytes());
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->quantisation, "file type 999");
}

TEST(MetadataFileTest, ReadsTheChainModel) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteChainModel(folder / "chain.gguf"));
  const auto result = ReadMetadata(folder / "chain.gguf");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->architecture, "llama");
  EXPECT_EQ(result->parameters, 653952u);
  EXPECT_EQ(result->tensor_bytes, 2615808u);
  EXPECT_EQ(result->bits_per_weight, 32.0);
  EXPECT_EQ(result->quantisation, "all F32");
  EXPECT_EQ(result->vocab_size, 1400);
  EXPECT_EQ(result->context_length, 65536);
  EXPECT_TRUE(result->has_chat_template);
  EXPECT_EQ(result->file_bytes, std::filesystem::file_size(folder / "chain.gguf"));
}

TEST(MetadataFileTest, WhatIsNoRegularFileIsRefusedAtOnce) {
  const TemporaryFolder folder;
  const std::string fifo = folder / "fifo.gguf";
  const std::string directory = folder / "directory.gguf";
  const std::string link = folder / "link.gguf";
  const std::string loop = folder / "loop.gguf";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  ASSERT_EQ(::mkdir(directory.c_str(), 0700), 0);
  ASSERT_EQ(::symlink("nowhere.gguf", link.c_str()), 0);
  ASSERT_EQ(::symlink("loop.gguf", loop.c_str()), 0);
  const auto error = [](const std::string& path) { return ToString(ReadMetadata(path).error()); };
  EXPECT_EQ(error(fifo), "model_invalid: " + fifo + " is a FIFO, not a model file");
  EXPECT_EQ(error(directory), "model_invalid: " + directory + " is a directory, not a model file");
  EXPECT_EQ(error("/dev/zero"), "model_invalid: /dev/zero is a device, not a model file");
  EXPECT_EQ(error(link),
            "model_not_found: " + link + " is a link to nowhere.gguf, which does not exist");
  EXPECT_EQ(error(loop),
            "model_not_found: " + loop + " is a link to loop.gguf, which does not exist");
  EXPECT_EQ(error(folder / "none.gguf"), "model_not_found: no such file: " + folder / "none.gguf");
  EXPECT_EQ(error(folder / "none.gguf/below"),
            "model_not_found: no such file: " + folder / "none.gguf/below");
}

TEST(MetadataFileTest, AFileThatMayNotBeReadIsAnIoError) {
  const TemporaryFolder folder;
  folder.Write("secret.gguf", "GGUF");
  ASSERT_EQ(::chmod((folder / "secret.gguf").c_str(), 0), 0);
  // Root may read everything, so be somebody else meanwhile.
  const uid_t before = ::geteuid();
  if (before == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const auto result = ReadMetadata(folder / "secret.gguf");
  ASSERT_EQ(::seteuid(before), 0);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kIo);
  EXPECT_THAT(result.error().message, HasSubstr("Permission denied"));
}

TEST(MetadataFileTest, ASparseFileOfATerabyteIsReadInAMoment) {
  const TemporaryFolder folder;
  const std::uint64_t bytes = std::uint64_t{1} << 40;
  const std::string header = RawFile(3, 1, 0).Tensor("huge", {bytes / 4}, 0, 0).Data(0).bytes();
  folder.Write("sparse.gguf", header);
  const std::string path = folder / "sparse.gguf";
  if (::truncate(path.c_str(), static_cast<off_t>(header.size() + bytes)) != 0) {
    GTEST_SKIP() << "this file system takes no file of a terabyte";
  }
  const TimePoint start = Now();
  const auto result = ReadMetadata(path);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->tensor_bytes, bytes);
  EXPECT_LT(Now() - start, std::chrono::seconds(1));
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(header.size() + bytes - 1)), 0);
  EXPECT_FALSE(ReadMetadata(path));
}

TEST(MetadataFileTest, AFileCutShortWhileItIsReadIsAnErrorAndNotASignal) {
  const TemporaryFolder folder;
  folder.Write("model.gguf", EveryKindOfKey(3));
  const auto input = FileInput::Open(folder / "model.gguf");
  ASSERT_TRUE(input);
  ASSERT_EQ(::truncate((folder / "model.gguf").c_str(), 100), 0);
  const auto result = ParseMetadata(*input);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kModelInvalid);
  EXPECT_THAT(result.error().message, HasSubstr("became shorter while it was read (inside"));
}

std::string SplitFile(std::uint16_t index, std::uint16_t count) {
  RawFile file(3, 1, index == 0 ? 3u : 2u);
  file.Key("split.no", 2).Put(index).Key("split.count", 2).Put(count);
  if (index == 0) file.StringKey("general.architecture", "llama");
  return file.Tensor(fmt::format("t{}", index), {8}, 0, 0).Data(32).bytes();
}

TEST(MetadataShardsTest, AllShardsTogetherAreTheModel) {
  const TemporaryFolder folder;
  folder.Write("m-00001-of-00003.gguf", SplitFile(0, 3));
  folder.Write("m-00002-of-00003.gguf", SplitFile(1, 3));
  folder.Write("m-00003-of-00003.gguf", SplitFile(2, 3));
  const auto result = ReadMetadata(folder / "m-00001-of-00003.gguf");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->shards, 3);
  EXPECT_EQ(result->parameters, 24u);
  EXPECT_EQ(result->tensor_bytes, 96u);
  EXPECT_EQ(result->tensors.size(), 3u);
  EXPECT_EQ(result->file_bytes, SplitFile(0, 3).size() + 2 * SplitFile(1, 3).size());
  EXPECT_EQ(result->quantisation, "(guessed) all F32");
}

TEST(MetadataShardsTest, AMissingWrongOrLaterShardIsNamed) {
  const TemporaryFolder folder;
  const std::string first = folder / "m-00001-of-00002.gguf";
  const std::string second = folder / "m-00002-of-00002.gguf";
  folder.Write("m-00001-of-00002.gguf", SplitFile(0, 2));
  EXPECT_EQ(ToString(ReadMetadata(first).error()),
            "model_not_found: shard 2 of 2: no such file: " + second);
  folder.Write("m-00002-of-00002.gguf", SplitFile(1, 3));
  EXPECT_THAT(ReadMetadata(first).error().message, HasSubstr("is not shard 2 of 2"));
  folder.Write("m-00002-of-00002.gguf", SplitFile(1, 2));
  EXPECT_TRUE(ReadMetadata(first));
  EXPECT_THAT(ReadMetadata(second).error().message,
              HasSubstr("is shard 2 of 2; load the first one"));
  folder.Write("renamed.gguf", SplitFile(0, 2));
  EXPECT_THAT(ReadMetadata(folder / "renamed.gguf").error().message,
              HasSubstr("must be named so: NAME-00001-of-00002.gguf"));
  folder.Write("many.gguf", SplitFile(0, 65535));
  EXPECT_THAT(ReadMetadata(folder / "many.gguf").error().message, HasSubstr("more than 1024"));
}

TEST(ShardNameTest, OnlyTheExactFormCounts) {
  const auto name = ParseShardName("a/b-00002-of-00010.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->stem, "a/b");
  EXPECT_EQ(name->index, 2u);
  EXPECT_EQ(name->count, 10u);
  for (const char* other :
       {"", ".gguf", "-00001-of-00002.gguf", "b-00000-of-00010.gguf", "b-00011-of-00010.gguf",
        "b-0001-of-00010.gguf", "b-00001-of-0001x.gguf", "b-00001-of-00002.ggml",
        "b-+0001-of-00002.gguf"}) {
    EXPECT_FALSE(ParseShardName(other)) << other;
  }
}

TEST(TensorTypeTest, NamesAndSizesOfTheTypesThatMatter) {
  EXPECT_EQ(FindTraits(12)->name, "q4_K");
  EXPECT_EQ(FindTraits(12)->block_bytes, 144);
  EXPECT_EQ(FindTraits(39)->name, "mxfp4");
  for (const std::uint32_t gone : {4u, 5u, 31u, 33u, 36u, 38u, 43u, ~0u}) {
    EXPECT_EQ(FindTraits(gone), nullptr) << gone;
  }
  EXPECT_EQ(FileTypeName(7), "Q8_0");
  EXPECT_EQ(FileTypeName(17), "Q5_K - Medium");
  EXPECT_EQ(FileTypeName(5), "");
  EXPECT_EQ(FileTypeName(4000), "");
}

}  // namespace
}  // namespace rocm::gguf
