// SPDX-License-Identifier: EUPL-1.2
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/scenario/loader.h"

namespace harness {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string Minimal(const std::string& name) {
  return R"({"schema": 1, "name": ")" + name + R"(", "why": "w", "kind": "load",
    "workload": {"api": "native", "prompt": {"text": "x"}, "output_tokens": {"max": 1}},
    "stages": [{"name": "s", "closed_loop": {"concurrency": 1}, "requests": 1}]})";
}

class Suite : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "suite-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    Write("a.json", Minimal("a"));
    Write("sub/b.json", Minimal("b"));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::filesystem::path folder_;
};

TEST_F(Suite, PathsAreRelativeToItAndCommentsSkipped) {
  const auto suite =
      Write("suites/s.txt", "# all\n\n  ../sub/b.json  # the second first\r\n../a.json");
  const auto scenarios = LoadScenarios({suite});
  ASSERT_TRUE(scenarios) << scenarios.error().message;
  ASSERT_EQ(scenarios->size(), 2u);
  EXPECT_EQ((*scenarios)[0].name, "b");
  EXPECT_EQ((*scenarios)[1].name, "a");
  EXPECT_EQ((*scenarios)[1].file, (folder_ / "a.json").string());
}

TEST_F(Suite, MissingFileNamesSuiteAndLine) {
  const auto suite = Write("s.txt", "a.json\nnone.json\n");
  EXPECT_EQ(LoadScenarios({suite}).error().message,
            suite + ":2: no such file: " + (folder_ / "none.json").string());
}

TEST_F(Suite, EmptyIsRefused) {
  const auto suite = Write("s.txt", "# nothing\n");
  EXPECT_THAT(LoadScenarios({suite}).error().message, EndsWith("names no scenario"));
}

TEST_F(Suite, TwoOfOneNameAreRefused) {
  const auto other = Write("c.json", Minimal("a"));
  const auto error = LoadScenarios({(folder_ / "a.json").string(), other}).error();
  EXPECT_THAT(error.message, HasSubstr("c.json: $.name: a is the name of"));
}

// The files that come with the project.
TEST(ShippedScenarios, LoadAndRoundTrip) {
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const std::filesystem::path root = std::filesystem::path(source) / "scenarios";
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const auto extension = entry.path().extension();
    if (extension == ".txt") {
      const auto suite = LoadScenarios({entry.path().string()});
      EXPECT_TRUE(suite) << suite.error().message;
    }
    if (extension != ".json") continue;
    ++files;
    const auto scenario = LoadScenario(entry.path().string());
    ASSERT_TRUE(scenario) << scenario.error().message;
    EXPECT_EQ(scenario->name, entry.path().stem().string());
    const auto again = ParseScenario(ToJson(*scenario), entry.path().string());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(ToJson(*again), ToJson(*scenario));
  }
  EXPECT_GE(files, 4);
}

}  // namespace
}  // namespace harness
