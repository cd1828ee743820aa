// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/unique_id.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<json> ReadLines(const fs::path& path) {
  std::vector<json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  return lines;
}

RequestRecord Record(std::int64_t index) {
  RequestRecord record;
  record.scenario = "s";
  record.stage = "steady";
  record.index = index;
  record.outcome = "ok";
  record.chunks = {{1, 1, false}};
  return record;
}

class RunWriterTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(directory_); }
  RunWriterConfig Config() const {
    RunWriterConfig config;
    config.directory = directory_;
    config.min_free_bytes = 0;
    return config;
  }
  const fs::path directory_ = fs::path(testing::TempDir()) / ("runs-" + UniqueId());
};

TEST_F(RunWriterTest, WritesEveryKindOfLine) {
  auto writer = RunWriter::Create(Config()).value();
  EXPECT_EQ(writer->path().filename().string(), writer->run_id() + ".jsonl");
  ASSERT_TRUE(writer->Header({}));
  RunEvent event;
  event.event = "server_started";
  ASSERT_TRUE(writer->Event(event));
  ASSERT_TRUE(writer->Request(Record(0)));
  ASSERT_TRUE(writer->Summary({}));
  ASSERT_TRUE(writer->Write(Verdict{}));
  ASSERT_TRUE(writer->End({}));
  const auto lines = ReadLines(writer->path());
  std::vector<std::string> types;
  for (const json& line : lines) types.push_back(line.at("type"));
  EXPECT_EQ(types,
            (std::vector<std::string>{"header", "event", "request", "summary", "verdict", "end"}));
  EXPECT_EQ(lines.at(0).at("run_id"), writer->run_id());
  EXPECT_EQ(lines.at(0).at("schema"), kRunSchema);
  EXPECT_EQ(lines.at(5).at("status"), "valid");
  EXPECT_EQ(lines.at(5).at("requests"), 1);
}

TEST_F(RunWriterTest, WithoutChunks) {
  RunWriterConfig config = Config();
  config.chunks = false;
  auto writer = RunWriter::Create(config).value();
  ASSERT_TRUE(writer->Request(Record(0)));
  EXPECT_FALSE(ReadLines(writer->path()).at(0).contains("chunks"));
}

TEST_F(RunWriterTest, TwoRunsNeverShareAFile) {
  std::set<fs::path> paths;
  for (int i = 0; i < 20; ++i) paths.insert(RunWriter::Create(Config()).value()->path());
  EXPECT_EQ(paths.size(), 20U);
}

TEST_F(RunWriterTest, IsLockedWhileItRuns) {
  auto writer = RunWriter::Create(Config()).value();
  const fs::path path = writer->path();
  const rocm::UniqueFd other(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_NE(::flock(other.get(), LOCK_SH | LOCK_NB), 0);
  writer.reset();
  EXPECT_EQ(::flock(other.get(), LOCK_SH | LOCK_NB), 0);
}

TEST_F(RunWriterTest, ChecksTheDirectoryFirst) {
  fs::create_directories(directory_);
  std::ofstream(directory_ / "file") << "x";
  RunWriterConfig config = Config();
  config.directory = directory_ / "file" / "runs";
  const auto not_a_directory = RunWriter::Create(config);
  ASSERT_FALSE(not_a_directory);
  EXPECT_EQ(not_a_directory.error().code, rocm::ErrorCode::kIo);
  EXPECT_NE(not_a_directory.error().message.find("Not a directory"), std::string::npos);

  config = Config();
  config.min_free_bytes = INT64_MAX;
  const auto full = RunWriter::Create(config);
  ASSERT_FALSE(full);
  EXPECT_NE(full.error().message.find("KiB free"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);  // nothing left behind
}

TEST_F(RunWriterTest, LinesOfManyThreadsStayWhole) {
  auto writer = RunWriter::Create(Config()).value();
  constexpr int kThreads = 4;
  constexpr int kLines = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kLines; ++i) EXPECT_TRUE(writer->Request(Record(t * kLines + i)));
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::int64_t> seen;
  for (const json& line : ReadLines(writer->path()))
    seen.insert(line.at("index").get<std::int64_t>());
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kThreads * kLines));
}

// A real file size limit: the kernel writes part of a line, then refuses.
TEST_F(RunWriterTest, AFullDiskLosesTheLineAndSaysSo) {
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  auto writer = RunWriter::Create(Config()).value();
  ASSERT_TRUE(writer->Header({}));
  ASSERT_TRUE(writer->Request(Record(0)));
  const auto whole = fs::file_size(writer->path());
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = whole + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto lost = writer->Request(Record(1));
  const auto size_when_full = fs::file_size(writer->path());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);

  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, rocm::ErrorCode::kIo);
  EXPECT_EQ(size_when_full, whole);
  EXPECT_EQ(writer->lost_lines(), 1);
  // Space came back: the run goes on and its end tells of the loss.
  ASSERT_TRUE(writer->Request(Record(2)));
  ASSERT_TRUE(writer->End({}));
  const json end = ReadLines(writer->path()).back();
  EXPECT_EQ(end.at("status"), "partial");
  EXPECT_EQ(end.at("lost_lines"), 1);
  EXPECT_EQ(end.at("requests"), 2);
  EXPECT_NE(end.at("reasons").at(0).get<std::string>().find("1 result lines lost"),
            std::string::npos);
}

}  // namespace
}  // namespace harness
