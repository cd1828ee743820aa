// SPDX-License-Identifier: EUPL-1.2
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "backend/llama_server/capabilities.h"
#include "backend/llama_server/testing/fake_server.h"
#include "backend/process/testing/support.h"

namespace rocm::llama_server {
namespace {

using ::testing::ElementsAre;
using testing::FakeServer;
using ::testing::HasSubstr;

class ProbeTest : public ::testing::Test {
 protected:
  std::string path() const { return dir_.path() + "/llama-server"; }
  FakeServer Fake(std::string_view help = testing::kCurrentHelp) const {
    FakeServer fake;
    fake.help = help;
    fake.journal = dir_.path() + "/journal";
    return fake;
  }
  // What it was run with since the last call.
  std::vector<std::string> Runs() const {
    std::vector<std::string> runs;
    std::ifstream file(dir_.path() + "/journal");
    for (std::string line; std::getline(file, line);) runs.push_back(line);
    std::filesystem::remove(dir_.path() + "/journal");
    return runs;
  }

 private:
  process::test::TempDirectory dir_;
};

TEST_F(ProbeTest, AsksOnce) {
  Fake().Write(path());
  const auto first = Probe(path());
  ASSERT_TRUE(first) << ToString(first.error());
  EXPECT_EQ(first->version_text(), "version: 5092 (d3bd719b)");
  EXPECT_THAT(Runs(), ElementsAre("--version", "--help"));
  EXPECT_EQ(Probe(path()), *first);
  EXPECT_THAT(Runs(), ElementsAre("--version"));
}

TEST_F(ProbeTest, AsksAgainWhenTheFileChanged) {
  Fake(testing::kOldHelp).Write(path());
  EXPECT_EQ(Probe(path())->ui(), UiDialect::kNone);
  Fake(testing::kCurrentHelp).Write(path());
  std::filesystem::last_write_time(
      path(), std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(Probe(path())->ui(), UiDialect::kNoUi);
}

// A wrapper that starts another build than yesterday is the same file.
TEST_F(ProbeTest, AsksAgainWhenTheVersionChanged) {
  FakeServer fake = Fake();
  fake.version = "version: 1 (a)";
  fake.Write(path());
  const auto time = std::filesystem::last_write_time(path());
  ASSERT_TRUE(Probe(path()));
  fake.version = "version: 2 (a)";
  fake.Write(path());
  std::filesystem::last_write_time(path(), time);
  Runs();
  EXPECT_EQ(Probe(path())->build(), 2);
  EXPECT_THAT(Runs(), ElementsAre("--version", "--help"));
}

TEST_F(ProbeTest, FindsTheVersionAmongDeviceLines) {
  FakeServer fake = Fake();
  fake.version = "ggml_cuda_init: found 1 ROCm devices:\nversion: 7000 (x)\nbuilt with cc";
  fake.Write(path());
  EXPECT_EQ(Probe(path())->version_text(), "version: 7000 (x)");
}

TEST_F(ProbeTest, RefusesOtherPrograms) {
  Fake("Usage: cat [FILE]\n  -n, --number  number all lines\n").Write(path());
  const auto other = Probe(path());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kBinaryNotFound);
  EXPECT_THAT(other.error().message, HasSubstr("is not a llama-server"));
}

TEST_F(ProbeTest, SaysWhichLibraryIsMissing) {
  std::ofstream(path())
      << "#!/bin/sh\necho 'x: error while loading shared libraries: libhipblas.so.2: "
         "cannot open shared object file' >&2\nexit 127\n";
  std::filesystem::permissions(path(), std::filesystem::perms::owner_all);
  const auto broken = Probe(path());
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kBinaryNotFound);
  EXPECT_THAT(broken.error().message, HasSubstr("libhipblas.so.2"));
  EXPECT_EQ(broken.error().exit->exit_code, 127);
  EXPECT_EQ(broken.error().log_tail.size(), 1u);
}

TEST_F(ProbeTest, GivesUpOnOneThatHangs) {
  std::ofstream(path()) << "#!/bin/sh\nsleep 1000\n";
  std::filesystem::permissions(path(), std::filesystem::perms::owner_all);
  ProbeOptions options;
  options.timeout = std::chrono::milliseconds(100);
  const auto hung = Probe(path(), options);
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().code, ErrorCode::kBinaryNotFound);
  EXPECT_THAT(hung.error().message, HasSubstr("within 100 ms"));
  EXPECT_TRUE(process::test::OwnChildren().empty());
}

TEST_F(ProbeTest, PassesTheEnvironmentOn) {
  std::ofstream(path()) << "#!/bin/sh\n"
                           "[ \"$1\" = --version ] && echo \"version: $HSA_X\" && exit 0\n"
                           "echo '--model M'\necho '--port P'\n";
  std::filesystem::permissions(path(), std::filesystem::perms::owner_all);
  ProbeOptions options;
  options.environment = {"HSA_X=17 (y)"};
  EXPECT_EQ(Probe(path(), options)->build(), 17);
}

}  // namespace
}  // namespace rocm::llama_server
