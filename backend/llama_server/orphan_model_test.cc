// SPDX-License-Identifier: EUPL-1.2
// Whatever happens to the program that embeds it, and whenever: no llama-server lives on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "backend/process/run_directory.h"
#include "backend/process/testing/support.h"
#include "backend/rocm/testing/server_under_test.h"

namespace rocm::llama_server {
namespace {

using process::Child;
using process::ReadStat;
using process::test::AwaitTrue;
using process::test::kPatience;
using process::test::Lines;
using process::test::Rounds;
using process::test::Watched;
using std::chrono::milliseconds;

// Orphans are given to this process, so that it sees, and can reap, every one of them.
class ServerOrphanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto server = rocm::testing::FindServerUnderTest();
    if (!server.missing.empty()) GTEST_SKIP() << server.missing;
    binary_ = server.binary;
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    model_ = rocm::testing::ChainModelPath();
    fds_ = process::test::OpenFds();
  }
  void TearDown() override {
    if (IsSkipped()) return;
    // Zombies of our own making only: each must already be dead.
    EXPECT_TRUE(AwaitTrue([] {
      for (const pid_t pid : process::test::OwnChildren()) ::waitpid(pid, nullptr, WNOHANG);
      return process::test::OwnChildren().empty();
    }));
    static_cast<void>(process::ReapOrphans(runtime()));
    EXPECT_TRUE(std::filesystem::is_empty(runtime()));
    EXPECT_EQ(process::test::OpenFds(), fds_);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  }

  [[nodiscard]] const std::string& runtime() const { return dir_.path(); }
  [[nodiscard]] const std::string& binary() const { return binary_; }

  std::unique_ptr<Child> StartParent(const std::string& binary, Lines* lines, bool thread = false) {
    process::ChildOptions options;
    options.executable =
        std::string(std::getenv("ROCM_TEST_BIN_DIR")) + "/llama_server_test_parent";
    options.arguments = {binary, model_, runtime()};
    if (thread) options.arguments.emplace_back("thread");
    options.environment = process::CurrentEnvironment();
    options.on_line = [lines](process::LogStream, std::string_view line) { lines->Add(line); };
    return std::move(*Child::Start(std::move(options)));
  }

 private:
  std::string binary_;
  std::string model_;
  process::test::TempDirectory dir_;
  std::size_t fds_ = 0;
};

TEST_F(ServerOrphanTest, TheParentIsKilled) {
  for (int i = 0; i < Rounds(100); ++i) {
    Lines lines;
    const auto parent = StartParent(binary(), &lines, i % 2 == 1);
    const Watched server(process::test::PidIn(lines.Await("pid ")));
    ASSERT_FALSE(server.AwaitEnd(milliseconds(0)));
    ASSERT_TRUE(parent->Signal(SIGKILL));
    EXPECT_TRUE(server.AwaitEnd());
  }
}

TEST_F(ServerOrphanTest, TheParentIsKilledWhileTheServerIsStopped) {
  for (int i = 0; i < Rounds(100); ++i) {
    Lines lines;
    const auto parent = StartParent(binary(), &lines);
    const pid_t pid = process::test::PidIn(lines.Await("pid "));
    const Watched server(pid);
    ASSERT_EQ(::kill(pid, SIGSTOP), 0);
    ASSERT_TRUE(AwaitTrue([&] { return ReadStat(pid)->state == 'T'; }));
    ASSERT_TRUE(parent->Signal(SIGKILL));
    EXPECT_TRUE(server.AwaitEnd());
  }
}

TEST_F(ServerOrphanTest, TheParentIsKilledAtAnyMoment) {
  std::mt19937 random(5);
  for (int i = 0; i < Rounds(100); ++i) {
    Lines lines;
    const auto parent = StartParent(binary(), &lines);
    ::poll(nullptr, 0, static_cast<int>(random() % 150));
    ASSERT_TRUE(parent->Signal(SIGKILL));
    ASSERT_TRUE(parent->WaitExited(kPatience));
    EXPECT_TRUE(AwaitTrue([] {
      for (const pid_t pid : process::test::OwnChildren()) ::waitpid(pid, nullptr, WNOHANG);
      return process::test::OwnChildren().empty();
    }));
  }
}

TEST_F(ServerOrphanTest, TheThreadThatStartedItEnds) {
  for (int i = 0; i < Rounds(100); ++i) {
    Lines lines;
    const auto parent = StartParent(binary(), &lines, true);
    const Watched server(process::test::PidIn(lines.Await("pid ")));
    EXPECT_FALSE(server.AwaitEnd(milliseconds(20)));
    ASSERT_TRUE(parent->Signal(SIGTERM));  // no destructor runs
    EXPECT_TRUE(server.AwaitEnd());
  }
}

// A wrapper that does not exec: the death signal reaches the shell, not the server below it. The
// next load finds it.
TEST_F(ServerOrphanTest, AServerBelowAWrapperIsEndedByTheNextLoad) {
  const std::string wrapper = runtime() + "/wrapper";
  for (int i = 0; i < Rounds(100); ++i) {
    std::ofstream(wrapper) << "#!/bin/sh\n'" << binary() << "' \"$@\"\nexit $?\n";
    std::filesystem::permissions(wrapper, std::filesystem::perms::owner_all);
    Lines lines;
    const auto parent = StartParent(wrapper, &lines);
    const pid_t shell = process::test::PidIn(lines.Await("pid "));
    pid_t below = 0;
    for (const pid_t pid : process::ListProcesses()) {
      const auto stat = ReadStat(pid);
      if (stat && stat->parent == shell) below = pid;
    }
    ASSERT_NE(below, 0);
    const Watched server(below);
    ASSERT_TRUE(parent->Signal(SIGKILL));
    ASSERT_TRUE(parent->WaitExited(kPatience));
    ASSERT_TRUE(Watched(shell).AwaitEnd());
    ASSERT_FALSE(server.AwaitEnd(milliseconds(0)));
    const auto report = process::ReapOrphans(runtime());
    EXPECT_THAT(report.killed, ::testing::Contains(below));
    EXPECT_THAT(report.problems, ::testing::IsEmpty());
    EXPECT_TRUE(server.AwaitEnd());
    std::filesystem::remove(wrapper);
  }
}

}  // namespace
}  // namespace rocm::llama_server
