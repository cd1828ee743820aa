// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/page_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/vfs.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace harness {
namespace {

using ::testing::HasSubstr;

constexpr long kTmpfs = 0x01021994;

// A file of 8 MiB in the working folder, which is on a disk more often than the temporary one.
class PageCacheTest : public ::testing::Test {
 protected:
  PageCacheTest() {
    std::string name = (std::filesystem::current_path() / "page-cache-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    path_ = (folder_ / "model.gguf").string();
    Write(path_);
  }
  ~PageCacheTest() override { std::filesystem::remove_all(folder_); }
  static void Write(const std::string& path) { std::ofstream(path) << std::string(8 << 20, 'x'); }
  [[nodiscard]] bool OnTmpfs() const {
    struct statfs status {};
    return ::statfs(path_.c_str(), &status) == 0 && status.f_type == kTmpfs;
  }
  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(PageCacheTest, ColdIsDroppedAndWarmIsRead) {
  const auto cold = PreparePageCache(path_, PageCache::kCold, {});
  ASSERT_TRUE(cold.resident_share);
  if (OnTmpfs()) {
    EXPECT_THAT(cold.problem, HasSubstr("asked for a cold page cache"));
    GTEST_SKIP() << "on tmpfs nothing is ever dropped, and the report said so";
  }
  EXPECT_LE(*cold.resident_share, 0.01) << cold.problem;
  EXPECT_EQ(cold.problem, "");
  const auto warm = PreparePageCache(path_, PageCache::kWarm, {});
  EXPECT_EQ(warm.resident_share, 1.0);
  EXPECT_EQ(warm.problem, "");
  EXPECT_EQ(PreparePageCache(path_, PageCache::kAsItIs, {}).resident_share, 1.0);
}

TEST_F(PageCacheTest, WhatCouldNotBeDoneIsSaid) {
  EXPECT_THAT(PreparePageCache((folder_ / "none").string(), PageCache::kCold, {}).problem,
              HasSubstr("cannot open"));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(PreparePageCache(path_, PageCache::kWarm, stop.get_token()).problem,
              HasSubstr("was not prepared"));
}

TEST_F(PageCacheTest, AllShardsAreMeant) {
  const std::string first = (folder_ / "m-00001-of-00002.gguf").string();
  Write(first);
  EXPECT_THAT(PreparePageCache(first, PageCache::kWarm, {}).problem,
              HasSubstr("m-00002-of-00002.gguf"));
  Write((folder_ / "m-00002-of-00002.gguf").string());
  EXPECT_EQ(PreparePageCache(first, PageCache::kWarm, {}).problem, "");
}

}  // namespace
}  // namespace harness
