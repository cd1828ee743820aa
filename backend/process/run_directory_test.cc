// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/run_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "backend/process/run_record.h"
#include "backend/process/testing/support.h"

namespace rocm::process {
namespace {

namespace fs = std::filesystem;
using test::Lines;
using test::TempDirectory;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(RunRecordTest, ReadsBackWhatItWrote) {
  const RunRecord record{.pid = 12, .start_ticks = 34, .exe = "/odd\nname", .boot_id = "b-1"};
  EXPECT_EQ(RunRecord::Parse(record.ToString()), record);
  const std::string text = record.ToString();
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto cut = RunRecord::Parse(text.substr(0, length));
    // Cut after the newline inside the name it is another, shorter name: never another process.
    if (cut) {
      EXPECT_EQ(cut->pid, record.pid);
    }
  }
  EXPECT_FALSE(RunRecord::Parse("pid=0\nstart=1\nboot=\nexe=x\n"));
}

TEST(RunNameTest, ReadsBackWhatItWrote) {
  const RunName name{.pid_namespace = 1, .pid = 2, .start_ticks = 3, .random = "0a"};
  EXPECT_EQ(RunName::Parse(name.ToString()), name);
  for (const char* bad : {"", "1", "1-2-3", "1-2-3-", "1-2-x-ab", "1-0-3-ab", "1-2-3-a/b", ".."}) {
    EXPECT_FALSE(RunName::Parse(bad)) << bad;
  }
}

TEST(RuntimeDirectoryTest, MustBeOursAndPrivate) {
  const TempDirectory dir;
  const std::string fresh = dir.path() + "/fresh";
  ASSERT_EQ(RuntimeDirectory(fresh), fresh);
  struct stat info {};
  ASSERT_EQ(::stat(fresh.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_EQ(RuntimeDirectory(fresh), fresh);

  fs::permissions(fresh, fs::perms::group_read, fs::perm_options::add);
  EXPECT_THAT(RuntimeDirectory(fresh).error().message, HasSubstr("open to others"));
  fs::create_symlink(dir.path(), dir.path() + "/link");
  EXPECT_THAT(RuntimeDirectory(dir.path() + "/link").error().message, HasSubstr("not a folder"));
  EXPECT_THAT(RuntimeDirectory(dir.path() + "/a/b").error().message, HasSubstr("No such file"));
}

TEST(RunDirectoryTest, GoesWithItsOwner) {
  const TempDirectory dir;
  auto run = RunDirectory::Create(dir.path());
  ASSERT_TRUE(run);
  std::ofstream((*run)->path() + "/server.sock") << "x";
  ASSERT_TRUE((*run)->Record(::getpid()));
  EXPECT_EQ((*run)->marker(), "ROCM_BACKEND_RUN=" + fs::path((*run)->path()).filename().string());
  run->reset();
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(RunDirectoryTest, AChildsDirectoryGoesWithTheChild) {
  const TempDirectory dir;
  auto options = test::HelperOptions({"exit", "0"});
  options.run_directory = std::move(*RunDirectory::Create(dir.path()));
  const auto child = Child::Start(std::move(options));
  ASSERT_TRUE(child);
  ASSERT_TRUE((*child)->WaitExited(test::kPatience));
  EXPECT_TRUE(test::AwaitTrue([&] { return fs::is_empty(dir.path()); }));
}

// A parent in another process with one recorded child.
struct Family {
  explicit Family(const std::string& runtime, std::vector<std::string> child_arguments) {
    std::vector<std::string> arguments{"hold", runtime};
    arguments.insert(arguments.end(), child_arguments.begin(), child_arguments.end());
    auto started = Child::Start(test::HelperOptions(arguments, &lines));
    parent = std::move(*started);
    child = test::PidIn(lines.Await("pid "));
  }
  Lines lines;
  std::unique_ptr<Child> parent;
  pid_t child = 0;
};

TEST(ReapOrphansTest, LeavesTheLivingAlone) {
  const TempDirectory dir;
  const Family family(dir.path(), {"hang"});
  const ReapReport report = ReapOrphans(dir.path());
  EXPECT_THAT(report.killed, IsEmpty());
  EXPECT_EQ(report.directories_removed, 0);
  EXPECT_FALSE(test::Watched(family.child).AwaitEnd(std::chrono::milliseconds(0)));
}

// A family whose parent and child were killed; what the child had put into a session of its own
// lives on.
struct Escaped {
  explicit Escaped(const std::string& runtime)
      : family(runtime, {"leave-grandchild", "away", "stay"}),
        child(family.child),
        grandchild(test::PidIn(family.lines.Await("child: grandchild"))) {
    EXPECT_TRUE(family.parent->Signal(SIGKILL));
    EXPECT_TRUE(child.AwaitEnd());
    EXPECT_TRUE(family.parent->WaitExited(test::kPatience));
  }
  Family family;
  const test::Watched child;
  const test::Watched grandchild;
};

// The parent-death signal reaches the child but not what a wrapper started in a session of its own.
TEST(ReapOrphansTest, FindsWhatEscapedTheParentsDeath) {
  const TempDirectory dir;
  const Escaped escaped(dir.path());
  ASSERT_FALSE(escaped.grandchild.AwaitEnd(std::chrono::milliseconds(0)));
  EXPECT_FALSE(fs::is_empty(dir.path()));
  const ReapReport report = ReapOrphans(dir.path());
  EXPECT_EQ(report.killed.size(), 1u);
  EXPECT_EQ(report.directories_removed, 1);
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_TRUE(escaped.grandchild.AwaitEnd());
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

// A run directory of a process that never was, holding `record`.
std::string LeftOver(const std::string& runtime, const RunRecord& record, std::uint64_t space) {
  const RunName name{.pid_namespace = space, .pid = 4'999'999, .start_ticks = 1, .random = "ab"};
  const std::string path = runtime + "/" + name.ToString();
  fs::create_directory(path);
  std::ofstream(path + "/" + kRunRecordFile) << record.ToString();
  return path;
}

TEST(ReapOrphansTest, KillsOnlyTheVeryProcessThatWasRecorded) {
  Lines lines;
  const auto bystander = Child::Start(test::HelperOptions({"hang"}, &lines));
  ASSERT_EQ(lines.Await("ready"), "ready");
  const pid_t pid = (*bystander)->pid();
  const RunRecord truth{.pid = pid,
                        .start_ticks = ReadStat(pid)->start_ticks,
                        .exe = ReadExe(pid),
                        .boot_id = BootId()};
  std::vector<RunRecord> lies(3, truth);
  lies[0].start_ticks += 1;
  lies[1].exe += "x";
  lies[2].boot_id += "x";
  const TempDirectory dir;
  for (const RunRecord& lie : lies) {
    LeftOver(dir.path(), lie, PidNamespace());
    const ReapReport report = ReapOrphans(dir.path());
    EXPECT_THAT(report.killed, IsEmpty());
    EXPECT_EQ(report.directories_removed, 1);
    EXPECT_TRUE((*bystander)->alive());
  }
  const std::string foreign = LeftOver(dir.path(), truth, PidNamespace() + 1);
  EXPECT_EQ(ReapOrphans(dir.path()).directories_removed, 0);
  EXPECT_TRUE(fs::exists(foreign));
  EXPECT_TRUE((*bystander)->alive());

  LeftOver(dir.path(), truth, PidNamespace());
  EXPECT_THAT(ReapOrphans(dir.path()).killed, testing::ElementsAre(pid));
  EXPECT_TRUE((*bystander)->WaitExited(test::kPatience));
}

// Leaves this process `free` descriptors to open.
class FewDescriptors {
 public:
  explicit FewDescriptors(std::size_t free) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &low);
    for (;;) {
      UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd) break;
      taken_.push_back(std::move(fd));
    }
    taken_.resize(taken_.size() - free);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<UniqueFd> taken_;
};

TEST(ReapOrphansTest, OutOfDescriptorsNothingIsTakenForDead) {
  const TempDirectory dir;
  const Family family(dir.path(), {"hang"});
  for (std::size_t free = 0; free < 8; ++free) {
    ReapReport report;
    {
      const FewDescriptors few(free);
      report = ReapOrphans(dir.path());
    }
    EXPECT_THAT(report.killed, IsEmpty()) << free;
    EXPECT_EQ(report.directories_removed, 0) << free;
    EXPECT_FALSE(test::Watched(family.child).AwaitEnd(std::chrono::milliseconds(0))) << free;
    EXPECT_FALSE(fs::is_empty(dir.path())) << free;
  }
}

TEST(ReapOrphansTest, OutOfDescriptorsWhatCouldNotBeKilledKeepsItsDirectory) {
  for (std::size_t free = 0; free < 8; ++free) {
    const TempDirectory dir;
    const Escaped escaped(dir.path());
    ReapReport report;
    {
      const FewDescriptors few(free);
      report = ReapOrphans(dir.path());
    }
    if (!escaped.grandchild.AwaitEnd(std::chrono::milliseconds(0))) {
      EXPECT_EQ(report.directories_removed, 0) << free;
      EXPECT_FALSE(fs::is_empty(dir.path())) << free;
    }
    // With descriptors again, the same folder is cleaned up.
    static_cast<void>(ReapOrphans(dir.path()));
    EXPECT_TRUE(escaped.grandchild.AwaitEnd()) << free;
    EXPECT_TRUE(fs::is_empty(dir.path())) << free;
  }
}

TEST(ReapOrphansTest, LeavesOtherFilesAlone) {
  const TempDirectory dir;
  std::ofstream(dir.path() + "/notes") << "x";
  fs::create_directory(dir.path() + "/1-2-x");
  EXPECT_EQ(ReapOrphans(dir.path()).directories_removed, 0);
  EXPECT_EQ(ReapOrphans(dir.path() + "/absent").directories_removed, 0);
  EXPECT_TRUE(fs::exists(dir.path() + "/notes"));
  EXPECT_TRUE(fs::exists(dir.path() + "/1-2-x"));
}

}  // namespace
}  // namespace rocm::process
