// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/discovery.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "backend/gguf/metadata_cases_for_tests.h"
#include "backend/gguf/temporary_folder_for_tests.h"

namespace rocm::gguf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Model(std::string_view architecture, std::string_view type = "model") {
  return RawFile(3, 1, 2)
      .StringKey("general.type", type)
      .StringKey("general.architecture", architecture)
      .Tensor("t", {8}, 0, 0)
      .Data(32)
      .bytes();
}

std::string Shard(std::uint16_t index, std::uint16_t count) {
  return RawFile(3, 1, 3)
      .Key("split.no", 2)
      .Put(index)
      .Key("split.count", 2)
      .Put(count)
      .StringKey("general.architecture", "llama")
      .Tensor(fmt::format("t{}", index), {8}, 0, 0)
      .Data(32)
      .bytes();
}

std::vector<std::string> Paths(const std::vector<FoundModel>& models) {
  std::vector<std::string> paths;
  for (const FoundModel& model : models) paths.push_back(model.path);
  return paths;
}

std::string ReasonFor(const Discovery& discovery, const std::string& path) {
  for (const SkippedFile& file : discovery.skipped) {
    if (file.path == path) return file.reason;
  }
  return "(not skipped)";
}

TEST(DiscoveryTest, FindsModelsSortedAndLeavesOtherFilesAlone) {
  const TemporaryFolder folder;
  folder.Write("b.gguf", Model("llama"));
  folder.Write("a.GGUF", Model("gemma3"));
  folder.Write("readme.txt", "no model");
  folder.Write("c.gguf.part", "no model yet");
  const auto found = DiscoverModels(folder.path());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(Paths(found->models), ElementsAre(folder / "a.GGUF", folder / "b.gguf"));
  EXPECT_EQ(found->models[0].metadata.architecture, "gemma3");
  EXPECT_THAT(found->models[0].files, ElementsAre(folder / "a.GGUF"));
  EXPECT_THAT(found->skipped, IsEmpty());
}

TEST(DiscoveryTest, LooksBelowTheFolderButNotThroughLinksToFolders) {
  const TemporaryFolder folder;
  folder.Write("publisher/model/d.gguf", Model("llama"));
  folder.Write("1/2/3/4/5/6/deep.gguf", Model("llama"));
  folder.Write("1/2/3/4/5/6/7/too-deep.gguf", Model("llama"));
  folder.Write("split/m-00001-of-00002.gguf", Shard(0, 2));
  folder.Write("split/m-00002-of-00002.gguf", Shard(1, 2));
  std::filesystem::create_directory_symlink(folder.path(), folder / "publisher/round");
  std::filesystem::create_symlink(folder / "publisher/model/d.gguf", folder / "e.gguf");
  const auto found = DiscoverModels(folder.path());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(Paths(found->models), ElementsAre(folder / "1/2/3/4/5/6/deep.gguf", folder / "e.gguf",
                                                folder / "publisher/model/d.gguf",
                                                folder / "split/m-00001-of-00002.gguf"));
  EXPECT_THAT(found->skipped, IsEmpty());
}

TEST(DiscoveryTest, ShardsOfAModelAreOneModel) {
  const TemporaryFolder folder;
  for (std::uint16_t i = 0; i < 3; ++i) {
    folder.Write(fmt::format("big-{:05}-of-00003.gguf", i + 1), Shard(i, 3));
  }
  folder.Write("single-00001-of-00001.gguf", Model("llama"));
  const auto found = DiscoverModels(folder.path());
  ASSERT_TRUE(found);
  ASSERT_THAT(Paths(found->models), ElementsAre(folder / "big-00001-of-00003.gguf",
                                                folder / "single-00001-of-00001.gguf"));
  EXPECT_THAT(found->models[0].files,
              ElementsAre(folder / "big-00001-of-00003.gguf", folder / "big-00002-of-00003.gguf",
                          folder / "big-00003-of-00003.gguf"));
  EXPECT_EQ(found->models[0].metadata.parameters, 24u);
  EXPECT_THAT(found->skipped, IsEmpty());
}

TEST(DiscoveryTest, WhatIsSkippedSaysWhy) {
  const TemporaryFolder folder;
  folder.Write("clip.gguf", Model("clip"));
  folder.Write("gemma-MMProj-f16.gguf", Model("gemma3"));
  folder.Write("projector.gguf", Model("llama", "mmproj"));
  folder.Write("lora.gguf", Model("llama", "adapter"));
  folder.Write("matrix.gguf", Model("llama", "imatrix"));
  folder.Write("nameless.gguf", RawFile(3, 0, 0).bytes());
  folder.Write("vocab.gguf", RawFile(3, 0, 1).StringKey("general.architecture", "llama").bytes());
  folder.Write("damaged.gguf", Model("llama").substr(0, 120));
  folder.Write("lost-00002-of-00002.gguf", Shard(1, 2));
  folder.Write("half-00001-of-00002.gguf", Shard(0, 2));
  ASSERT_EQ(::mkfifo((folder / "pipe.gguf").c_str(), 0600), 0);
  const auto found = DiscoverModels(folder.path());
  ASSERT_TRUE(found);
  EXPECT_THAT(found->models, IsEmpty());
  EXPECT_EQ(found->skipped.size(), 11u);
  const auto reason = [&](std::string_view name) { return ReasonFor(*found, folder / name); };
  for (const char* name : {"clip.gguf", "gemma-MMProj-f16.gguf", "projector.gguf"}) {
    EXPECT_EQ(reason(name), "a projector (mmproj) for another model") << name;
  }
  EXPECT_EQ(reason("lora.gguf"), "an adapter (LoRA) for another model");
  EXPECT_EQ(reason("matrix.gguf"), "an importance matrix");
  EXPECT_EQ(reason("nameless.gguf"), "it names no architecture (general.architecture)");
  EXPECT_EQ(reason("vocab.gguf"), "it has no tensors, only a vocabulary");
  EXPECT_THAT(reason("damaged.gguf"), HasSubstr("cut short"));
  EXPECT_EQ(reason("lost-00002-of-00002.gguf"), "the first of its 2 shards is missing");
  EXPECT_THAT(reason("half-00001-of-00002.gguf"), HasSubstr("shard 2 of 2: no such file"));
  EXPECT_THAT(reason("pipe.gguf"), HasSubstr("is a FIFO"));
}

TEST(DiscoveryTest, AFolderThatCannotBeReadIsAnError) {
  const TemporaryFolder folder;
  folder.Write("file", "");
  for (const std::string& path : {folder / "none", folder / "file"}) {
    const auto found = DiscoverModels(path);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::kIo);
    EXPECT_THAT(found.error().message, HasSubstr("cannot read the folder " + path));
  }
}

}  // namespace
}  // namespace rocm::gguf
