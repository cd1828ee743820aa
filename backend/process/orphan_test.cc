// SPDX-License-Identifier: EUPL-1.2
// Whatever happens to a parent, and whenever: no child of it lives on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <random>

#include "backend/process/testing/support.h"

namespace rocm::process {
namespace {

using std::chrono::milliseconds;
using test::HelperOptions;
using test::kPatience;
using test::Lines;
using test::Watched;

// Orphans become children of this process, so that it can see, and reap, every one of them.
class OrphanTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    token_ = "HSA_TEST_TOKEN=" + RandomId(8);
  }
  void TearDown() override { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }

  std::unique_ptr<Child> StartParent(std::vector<std::string> arguments, Lines* lines) {
    auto options = HelperOptions(std::move(arguments), lines);
    options.environment.push_back(token_);
    return std::move(*Child::Start(std::move(options)));
  }

  // Live processes that descend from this test's parents.
  [[nodiscard]] std::vector<pid_t> Descendants() const {
    std::vector<pid_t> found;
    for (const pid_t pid : ListProcesses()) {
      const auto environment = ReadEnvironment(pid);
      if (std::ranges::find(environment, token_) != environment.end()) found.push_back(pid);
    }
    return found;
  }

  // Everything is gone, and what was orphaned is reaped: by us, since it was given to us.
  void ExpectNothingLeft() {
    EXPECT_TRUE(test::AwaitTrue([&] { return Descendants().empty(); }));
    EXPECT_TRUE(test::AwaitTrue([] {
      for (const pid_t pid : test::OwnChildren()) ::waitpid(pid, nullptr, WNOHANG);
      return test::OwnChildren().empty();
    }));
  }

 private:
  std::string token_;
};

TEST_F(OrphanTest, TheParentIsKilled) {
  const test::TempDirectory dir;
  const std::size_t fds = test::OpenFds();
  for (int i = 0; i < test::Rounds(100); ++i) {
    Lines lines;
    const auto parent = StartParent({"hold", dir.path(), i % 2 ? "hang" : "ignore-term"}, &lines);
    const Watched child(test::PidIn(lines.Await("pid ")));
    ASSERT_EQ(lines.Await("child: ready"), "child: ready");
    ASSERT_TRUE(parent->Signal(SIGKILL));
    EXPECT_TRUE(child.AwaitEnd());
    ASSERT_TRUE(parent->WaitExited(kPatience));
  }
  ExpectNothingLeft();
  EXPECT_EQ(ReapOrphans(dir.path()).directories_removed, test::Rounds(100));
  EXPECT_EQ(test::OpenFds(), fds);
}

TEST_F(OrphanTest, TheParentIsKilledWhileItsChildIsStopped) {
  const test::TempDirectory dir;
  for (int i = 0; i < test::Rounds(100); ++i) {
    Lines lines;
    const auto parent = StartParent({"hold", dir.path(), "hang"}, &lines);
    const pid_t pid = test::PidIn(lines.Await("pid "));
    const Watched child(pid);
    ASSERT_EQ(lines.Await("child: ready"), "child: ready");
    ::kill(pid, SIGSTOP);
    ASSERT_TRUE(test::AwaitTrue([&] { return ReadStat(pid)->state == 'T'; }));
    ASSERT_TRUE(parent->Signal(SIGKILL));
    EXPECT_TRUE(child.AwaitEnd());
  }
  ExpectNothingLeft();
}

TEST_F(OrphanTest, TheParentIsKilledAtAnyMoment) {
  std::mt19937 random(11);
  for (int i = 0; i < test::Rounds(400); ++i) {
    Lines lines;
    const auto parent = StartParent({"start-for-ever"}, &lines);
    ASSERT_EQ(lines.Await("ready"), "ready");
    ::poll(nullptr, 0, static_cast<int>(random() % 20));
    ASSERT_TRUE(parent->Signal(SIGKILL));
    ASSERT_TRUE(parent->WaitExited(kPatience));
    ExpectNothingLeft();
  }
}

// Lets go on whoever opens the FIFO for reading.
bool Release(const std::string& fifo) {
  return test::AwaitTrue([&] {
    return static_cast<bool>(UniqueFd(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK)));
  });
}

// The parent dies after fork and before the child has asked to be told: the check of the parent's
// pid must catch it.
TEST_F(OrphanTest, TheParentIsKilledBetweenForkAndExec) {
  const test::TempDirectory dir;
  const std::string fifo = dir.path() + "/fifo";
  const std::string mark = dir.path() + "/executed";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (int i = 0; i < test::Rounds(100); ++i) {
    Lines lines;
    const auto parent = StartParent({"fork-race", fifo, mark}, &lines);
    const Watched child(test::PidIn(lines.Await("forked ")));
    ASSERT_TRUE(parent->Signal(SIGKILL));
    ASSERT_TRUE(parent->WaitExited(kPatience));
    ASSERT_FALSE(child.AwaitEnd(milliseconds(0)));
    ASSERT_TRUE(Release(fifo));
    EXPECT_TRUE(child.AwaitEnd());
    EXPECT_FALSE(std::filesystem::exists(mark));
  }
  ExpectNothingLeft();
}

// The same hold, released while the parent lives: shows that the test above could fail.
TEST_F(OrphanTest, AReleasedChildOfALivingParentExecutes) {
  const test::TempDirectory dir;
  const std::string fifo = dir.path() + "/fifo";
  const std::string mark = dir.path() + "/executed";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Lines lines;
  const auto parent = StartParent({"fork-race", fifo, mark}, &lines);
  ASSERT_NE(lines.Await("forked "), "");
  ASSERT_TRUE(Release(fifo));
  EXPECT_TRUE(test::AwaitTrue([&] { return std::filesystem::exists(mark); }));
}

}  // namespace
}  // namespace rocm::process
