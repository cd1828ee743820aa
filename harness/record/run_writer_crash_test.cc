// SPDX-License-Identifier: EUPL-1.2
// What is left of a run file when the disk fails at any call or the process is killed at any
// moment. The writing process is write-sample-run; libio_faults makes its system calls fail.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/testing/soak.h"
#include "harness/base/random.h"
#include "harness/base/unique_id.h"

extern char** environ;

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path Bin(const std::string& name) {
  const char* directory = std::getenv("ROCM_TEST_BIN_DIR");
  return fs::path(directory == nullptr ? "." : directory) / name;
}

// In memory where possible: hundreds of runs with an fsync a line take minutes on a busy disk.
fs::path ScratchDirectory() {
  const fs::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK) == 0 ? memory : fs::path(testing::TempDir());
}

// A sanitized program takes a second to start.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kStep = 67;
constexpr int kKills = 10;
#else
constexpr int kStep = 31;
constexpr int kKills = 50;
#endif

// What a run file holds after whatever happened.
struct Contents {
  std::vector<json> lines;  // whole ones
  bool torn_end = false;    // bytes after the last newline
  int broken_lines = 0;     // whole lines that are not JSON: never allowed
  [[nodiscard]] bool ended() const { return !lines.empty() && lines.back().at("type") == "end"; }
};

Contents Read(const fs::path& path) {
  Contents contents;
  std::ifstream file(path, std::ios::binary);
  std::stringstream buffer;
  buffer << file.rdbuf();
  const std::string text = buffer.str();
  std::size_t at = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', at)) {
    json line = json::parse(text.substr(at, end - at), nullptr, false);
    at = end + 1;
    if (line.is_object() && line.contains("type")) {
      contents.lines.push_back(std::move(line));
    } else {
      ++contents.broken_lines;
    }
  }
  contents.torn_end = at != text.size();
  return contents;
}

class CrashTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(directory_);
    ASSERT_TRUE(fs::exists(Bin("write-sample-run"))) << "set ROCM_TEST_BIN_DIR";
  }
  void TearDown() override { fs::remove_all(directory_); }

  pid_t Start(const std::vector<std::string>& arguments,
              const std::map<std::string, std::string>& environment) const {
    std::vector<std::string> args = {Bin("write-sample-run").string(), directory_.string()};
    args.insert(args.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      if (!environment.contains(text.substr(0, text.find('=')))) variables.push_back(text);
    }
    for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
    std::vector<char*> envp;
    for (std::string& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 2, stderr_.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                       0600);
    pid_t pid = -1;
    EXPECT_EQ(::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    return pid;
  }

  static int Wait(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  // Runs to its end with faults; the wait status.
  int RunWithFaults(std::map<std::string, std::string> faults) const {
    faults["LD_PRELOAD"] = Bin("libio_faults.so").string();
    faults["ROCM_FAULT_SUFFIX"] = ".jsonl";
    // The preloaded library comes before a sanitizer's run time, which objects to that.
    const char* options = std::getenv("ASAN_OPTIONS");
    faults["ASAN_OPTIONS"] =
        std::string(options == nullptr ? "" : options) + ":verify_asan_link_order=0";
    return Wait(Start({"--rounds", "1", "--requests", "1"}, faults));
  }

  std::optional<fs::path> File() const {
    for (const auto& entry : fs::directory_iterator(directory_)) {
      if (entry.path().extension() == ".jsonl") return entry.path();
    }
    return std::nullopt;
  }

  // Lines of this run when nothing fails.
  int CountLines() const {
    EXPECT_EQ(WEXITSTATUS(RunWithFaults({})), 0);
    return static_cast<int>(Read(File().value()).lines.size());
  }

  void Clear() const {
    for (const auto& entry : fs::directory_iterator(directory_)) fs::remove(entry.path());
  }

  const fs::path directory_ = ScratchDirectory() / ("rocm-bench-crash-" + UniqueId());
  const fs::path stderr_ = directory_ / "stderr";
};

TEST_F(CrashTest, WithoutFaultsTheRunIsWhole) {
  const int status = RunWithFaults({});
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const Contents contents = Read(File().value());
  EXPECT_GT(contents.lines.size(), 100U);
  EXPECT_TRUE(contents.ended());
  EXPECT_EQ(contents.lines.back().at("status"), "valid");
}

TEST_F(CrashTest, OneFailingWriteLosesThatLineAndSaysSo) {
  const int lines = CountLines();
  const int step = rocm::QuickOrFull(kStep, 1);
  for (const char* half : {"0", "1"}) {
    for (int nth = 1; nth <= lines; nth += step) {
      Clear();
      // A short write is followed by another call for the rest, which is the one that must fail.
      const bool is_short = *half == '1';
      const int status = RunWithFaults({{"ROCM_FAULT_CALL", "write"},
                                        {"ROCM_FAULT_FROM", std::to_string(nth)},
                                        {"ROCM_FAULT_COUNT", "1"},
                                        {"ROCM_FAULT_ERRNO", std::to_string(ENOSPC)},
                                        {"ROCM_FAULT_SHORT", half}});
      ASSERT_TRUE(WIFEXITED(status)) << nth;
      const Contents contents = Read(File().value());
      EXPECT_EQ(contents.broken_lines, 0) << nth;
      EXPECT_FALSE(contents.torn_end) << nth;
      if (is_short) {  // the rest went through: nothing may be lost at all
        EXPECT_EQ(WEXITSTATUS(status), 0) << nth;
        EXPECT_EQ(contents.lines.size(), static_cast<std::size_t>(lines)) << nth;
        continue;
      }
      EXPECT_EQ(WEXITSTATUS(status), 1) << nth;
      EXPECT_EQ(contents.lines.size(), static_cast<std::size_t>(lines - 1)) << nth;
      if (!contents.ended()) continue;  // it was the end line that was lost
      EXPECT_EQ(contents.lines.back().at("status"), "partial") << nth;
      EXPECT_EQ(contents.lines.back().at("lost_lines"), 1) << nth;
    }
  }
}

TEST_F(CrashTest, ADiskThatStaysFullKeepsWhatWasThere) {
  const int lines = CountLines();
  const int step = rocm::QuickOrFull(kStep, 1);
  for (int nth = 1; nth <= lines; nth += step) {
    for (const int error : {ENOSPC, EIO}) {
      Clear();
      const int status = RunWithFaults({{"ROCM_FAULT_CALL", "write"},
                                        {"ROCM_FAULT_FROM", std::to_string(nth)},
                                        {"ROCM_FAULT_ERRNO", std::to_string(error)}});
      ASSERT_TRUE(WIFEXITED(status)) << nth;
      EXPECT_EQ(WEXITSTATUS(status), 1) << nth;
      const Contents contents = Read(File().value());
      EXPECT_EQ(contents.lines.size(), static_cast<std::size_t>(nth - 1));
      EXPECT_EQ(contents.broken_lines, 0);
      EXPECT_FALSE(contents.torn_end);
      EXPECT_FALSE(contents.ended());
    }
  }
}

// Half a line is written, the rest fails, and the file cannot even be cut back.
TEST_F(CrashTest, WhenNothingWorksOnlyTheLastLineIsTorn) {
  const int lines = CountLines();
  const int step = rocm::QuickOrFull(kStep, 1);
  for (int nth = 1; nth <= lines; nth += step) {
    Clear();
    const int status = RunWithFaults({{"ROCM_FAULT_CALL", "write,ftruncate"},
                                      {"ROCM_FAULT_FROM", std::to_string(nth)},
                                      {"ROCM_FAULT_ERRNO", std::to_string(EIO)},
                                      {"ROCM_FAULT_SHORT", "2"}});
    ASSERT_TRUE(WIFEXITED(status)) << nth;
    EXPECT_EQ(WEXITSTATUS(status), 1) << nth;
    const Contents contents = Read(File().value());
    EXPECT_EQ(contents.broken_lines, 0) << nth;
    EXPECT_TRUE(contents.torn_end) << nth;
    EXPECT_EQ(contents.lines.size(), static_cast<std::size_t>(nth - 1)) << nth;
  }
}

TEST_F(CrashTest, AFailedSyncIsToldAndLosesNothing) {
  const int lines = CountLines();
  for (const char* call : {"fdatasync", "close"}) {
    for (int nth = 1; nth <= rocm::QuickOrFull(2, 25); ++nth) {
      Clear();
      const int status = RunWithFaults({{"ROCM_FAULT_CALL", call},
                                        {"ROCM_FAULT_FROM", std::to_string(nth)},
                                        {"ROCM_FAULT_COUNT", "1"},
                                        {"ROCM_FAULT_ERRNO", std::to_string(EIO)}});
      ASSERT_TRUE(WIFEXITED(status));
      const Contents contents = Read(File().value());
      EXPECT_EQ(contents.lines.size(), static_cast<std::size_t>(lines));
      EXPECT_TRUE(contents.ended());
      const bool sync = std::string(call) == "fdatasync";
      EXPECT_EQ(WEXITSTATUS(status), sync ? 1 : 0);
      EXPECT_EQ(contents.lines.back().at("status"), sync ? "partial" : "valid");
      EXPECT_EQ(contents.lines.back().at("lost_lines"), 0);
    }
  }
}

TEST_F(CrashTest, KilledAtAnyMomentItLosesAtMostTheLastLine) {
  Random random(20'26);
  const int kills = rocm::QuickOrFull(kKills, 1'000);
  int without_end = 0;
  for (int i = 0; i < kills; ++i) {
    Clear();
    const pid_t pid = Start({"--forever", "--requests", "1"}, {});
    const auto target = static_cast<std::uintmax_t>(random.UniformInt(0, 400'000));
    const rocm::TimePoint deadline = rocm::Now() + std::chrono::seconds(120);
    std::error_code ec;
    for (;;) {
      const auto file = File();
      if (file && fs::file_size(*file, ec) >= target && !ec) break;
      ASSERT_LT(rocm::Now(), deadline) << "the writer does not write";
    }
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(WIFSIGNALED(Wait(pid)));
    const Contents contents = Read(File().value());
    EXPECT_EQ(contents.broken_lines, 0) << i;
    EXPECT_TRUE(contents.lines.empty() || contents.lines.front().at("type") == "header") << i;
    // Records come in order, so a lost line in the middle would leave a gap.
    std::map<std::string, std::int64_t> next;
    for (const json& line : contents.lines) {
      if (line.at("type") != "request") continue;
      const std::string where = line.at("scenario").get<std::string>() +
                                line.at("variant").get<std::string>() +
                                std::to_string(line.at("round").get<int>());
      const auto index = line.at("index").get<std::int64_t>();
      if (index == 0) next[where] = 0;
      ASSERT_EQ(index, next[where]++) << i;
    }
    without_end += contents.ended() ? 0 : 1;
  }
  EXPECT_EQ(without_end, kills);
}

}  // namespace
}  // namespace harness
