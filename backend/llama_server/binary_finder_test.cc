// SPDX-License-Identifier: EUPL-1.2
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "backend/llama_server/server.h"
#include "backend/process/testing/support.h"

namespace rocm::llama_server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Sets variables of our environment and puts them back.
class BinaryFinderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) {
      const char* value = std::getenv(name);
      saved_.emplace_back(value == nullptr ? std::nullopt : std::optional<std::string>(value));
    }
    ::unsetenv("ROCM_LLAMA_SERVER_PATH");
    ::setenv("PATH", (dir() + "/a::" + dir() + "/b").c_str(), 1);
    std::filesystem::create_directories(dir() + "/a");
    std::filesystem::create_directories(dir() + "/b");
  }
  void TearDown() override {
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      if (saved_[i]) {
        ::setenv(kNames[i], saved_[i]->c_str(), 1);
      } else {
        ::unsetenv(kNames[i]);
      }
    }
  }
  const std::string& dir() const { return dir_.path(); }
  std::string Program(const std::string& name, int mode = 0700) const {
    const std::string path = dir() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n";
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
    return path;
  }
  static std::string Refusal(const std::string& configured = {}) {
    const auto found = FindServerBinary(configured);
    if (found) return "found " + *found;
    EXPECT_EQ(found.error().code, ErrorCode::kBinaryNotFound);
    return found.error().message;
  }

 private:
  static constexpr std::array<const char*, 2> kNames{"PATH", "ROCM_LLAMA_SERVER_PATH"};
  std::vector<std::optional<std::string>> saved_;
  process::test::TempDirectory dir_;
};

TEST_F(BinaryFinderTest, PrefersWhatIsConfiguredThenTheVariableThenPath) {
  const std::string on_path = Program("b/llama-server");
  EXPECT_EQ(FindServerBinary(), on_path);
  const std::string named = Program("named");
  ::setenv("ROCM_LLAMA_SERVER_PATH", named.c_str(), 1);
  EXPECT_EQ(FindServerBinary(), named);
  const std::string configured = Program("configured");
  EXPECT_EQ(FindServerBinary(configured), configured);
}

TEST_F(BinaryFinderTest, SaysWhatItLookedAt) {
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("PATH"), HasSubstr("ROCM_LLAMA_SERVER_PATH")));
  EXPECT_THAT(Refusal(dir() + "/absent"), HasSubstr("does not exist"));
  EXPECT_THAT(Refusal(dir()), HasSubstr("is a directory"));
  EXPECT_THAT(Refusal(Program("plain", 0600)), HasSubstr("is not executable"));
  EXPECT_THAT(Refusal("/dev/null"), HasSubstr("not a regular file"));
  ::setenv("ROCM_LLAMA_SERVER_PATH", (dir() + "/gone").c_str(), 1);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("from ROCM_LLAMA_SERVER_PATH"), HasSubstr("/gone")));
}

TEST_F(BinaryFinderTest, PassesOverWhatCannotRunButMentionsIt) {
  Program("a/llama-server", 0600);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("/a/llama-server"), HasSubstr("is not executable")));
  const std::string good = Program("b/llama-server");
  EXPECT_EQ(FindServerBinary(), good);
}

}  // namespace
}  // namespace rocm::llama_server
