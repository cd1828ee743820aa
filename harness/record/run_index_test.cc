// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_index.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "harness/base/unique_id.h"
#include "harness/measure/distribution.h"
#include "harness/record/run_reader.h"
#include "harness/record/run_writer.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

class RunIndexTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(root_); }

  std::unique_ptr<RunWriter> Writer() const {
    RunWriterConfig config;
    config.directory = runs_;
    config.min_free_bytes = 0;
    return RunWriter::Create(config).value();
  }

  // A run whose one summary has this median; the path of its file.
  fs::path Write(double median, const std::string& driver, bool end = true,
                 RunStatus status = RunStatus::kValid) const {
    auto writer = Writer();
    RunHeader header;
    header.target = "mock";
    header.scenarios = {{{"name", "decode"}}};
    header.fingerprint.identity = {{"backend", "mock"}, {"cpu", {{"model", "x"}}}};
    header.fingerprint.covariates = {{"driver", driver}, {"environment", {{"GGML_X", "1"}}}};
    EXPECT_TRUE(writer->Header(header));
    StageSummary summary;
    summary.scenario = "decode";
    summary.stage = "steady";
    summary.round = kAllRounds;
    summary.requests = 3;
    summary.distributions["ttft_ms"] = Describe(std::vector<double>{1, median, 1e6});
    summary.values["throughput_tokens_per_s"] = 5 * median;
    EXPECT_TRUE(writer->Summary(summary));
    summary.round = 0;
    summary.distributions["ttft_ms"] = Describe(std::vector<double>{7});
    EXPECT_TRUE(writer->Summary(summary));
    Verdict verdict;
    verdict.metric = "ttft_ms.p99";
    EXPECT_TRUE(writer->Write(verdict));
    RunEnd run_end;
    run_end.status = status;
    EXPECT_TRUE(!end || writer->End(run_end));
    return writer->path();
  }

  const fs::path root_ = fs::path(testing::TempDir()) / ("index-" + UniqueId());
  const fs::path runs_ = root_ / "runs";
  const fs::path index_ = root_ / "index.sqlite";
};

TEST_F(RunIndexTest, ListsTheNewestFirstWithItsState) {
  EXPECT_TRUE(ListRuns(runs_).value().empty());
  const fs::path valid = Write(10, "6.1");
  const fs::path partial = Write(11, "6.1", false);
  std::ofstream(runs_ / "junk.jsonl") << "no json\n";
  std::ofstream(runs_ / "notes.txt") << "x";
  auto running = Writer();
  ASSERT_TRUE(running->Header({}));
  const auto runs = ListRuns(runs_).value();
  ASSERT_EQ(runs.size(), 4U);
  std::map<std::string, std::string> states;
  for (const RunInfo& run : runs) states[run.path.string()] = run.state;
  EXPECT_EQ(states.at(valid.string()), "valid");
  EXPECT_EQ(states.at(partial.string()), "partial");
  EXPECT_EQ(states.at(running->path().string()), "running");
  EXPECT_EQ(states.at((runs_ / "junk.jsonl").string()), "damaged");
  for (std::size_t i = 1; i < runs.size(); ++i) {
    EXPECT_GE(runs[i - 1].started_at, runs[i].started_at);
  }
  const RunInfo info = InspectRun(valid).value();
  EXPECT_EQ(info.run_id, valid.stem().string());
  EXPECT_EQ(info.target, "mock");
  EXPECT_EQ(info.scenarios, (std::vector<std::string>{"decode"}));
  EXPECT_EQ(info.requests, 0);
}

TEST_F(RunIndexTest, ReadingSurvivesDamage) {
  fs::create_directories(runs_);
  const fs::path path = runs_ / "x.jsonl";
  std::ofstream(path, std::ios::binary)
      << "{\"type\":\"header\"}\n"
      << "garbage\n[1]\n{\"no\":\"type\"}\n"
      << std::string(100'000, '[') << "\n"
      << "{\"type\":\"event\",\"detail\":" << std::string(100'000, '[') << "\n"
      << "{\"type\":\"end\",\"status\":\"valid\"}\n{\"type\":\"req";
  int lines = 0;
  const RunDamage damage = ReadRun(path, [&](const nlohmann::json&) { ++lines; }).value();
  EXPECT_EQ(lines, 2);
  EXPECT_EQ(damage.broken_lines, 5);
  EXPECT_TRUE(damage.torn_end);
  EXPECT_EQ(InspectRun(path)->state, "valid");
  EXPECT_EQ(ReadRun(runs_ / "none", [](const nlohmann::json&) {}).error().code,
            rocm::ErrorCode::kIo);
  EXPECT_EQ(ReadRun(runs_, [](const nlohmann::json&) {}).error().code, rocm::ErrorCode::kIo);
}

TEST_F(RunIndexTest, EveryLineAcrossBlockBoundaries) {
  fs::create_directories(runs_);
  const fs::path path = runs_ / "x.jsonl";
  {
    std::ofstream file(path);
    for (int i = 0; i < 3'000; ++i) {
      file << R"({"type":"event","i":)" << i << R"(,"pad":")" << std::string(i % 700, 'x')
           << "\"}\n";
    }
  }
  std::int64_t next = 0;
  ASSERT_TRUE(ReadRun(path, [&](const nlohmann::json& line) {
    EXPECT_EQ(line.at("i").get<std::int64_t>(), next++);
  }));
  EXPECT_EQ(next, 3'000);
}

TEST_F(RunIndexTest, IndexFollowsTheFiles) {
  const fs::path first = Write(10, "6.1");
  Write(11, "6.1");
  IndexReport report = UpdateIndex(runs_, index_).value();
  EXPECT_EQ(report.added, 2);
  report = UpdateIndex(runs_, index_).value();
  EXPECT_EQ(report.added, 0);
  EXPECT_EQ(report.unchanged, 2);
  std::ofstream(first, std::ios::app) << "torn";
  report = UpdateIndex(runs_, index_).value();
  EXPECT_EQ(report.added, 1);
  EXPECT_EQ(report.unchanged, 1);
  fs::remove(first);
  report = UpdateIndex(runs_, index_).value();
  EXPECT_EQ(report.removed, 1);
  EXPECT_EQ(report.unchanged, 1);
  report = UpdateIndex(runs_, index_, true).value();
  EXPECT_EQ(report.added, 1);
  EXPECT_TRUE(report.problems.empty());
}

TEST_F(RunIndexTest, SeriesHoldValidRunsOldestFirst) {
  Write(10, "6.1");
  Write(99, "6.1", true, RunStatus::kInvalid);
  Write(98, "6.1", false);
  Write(12, "6.2");
  ASSERT_TRUE(UpdateIndex(runs_, index_));
  const auto series = ListSeries(index_).value();
  ASSERT_EQ(series.size(), 1U);
  EXPECT_EQ(series[0].scenario, "decode");
  EXPECT_EQ(series[0].runs, 4);
  const auto points = LoadSeries(index_, series[0].series, "ttft_ms.p50").value();
  ASSERT_EQ(points.size(), 2U);
  // Within one second the random part of the run id decides.
  std::set<double> values = {points[0].value, points[1].value};
  EXPECT_EQ(values, (std::set<double>{10, 12}));
  EXPECT_EQ(points[0].covariates.size(), 2U);
  const auto throughput = LoadSeries(index_, series[0].series, "throughput_tokens_per_s").value();
  EXPECT_EQ(throughput.size(), 2U);
  EXPECT_TRUE(LoadSeries(index_, "none", "ttft_ms.p50").value().empty());
}

TEST_F(RunIndexTest, AForeignFileIsNotAnIndex) {
  fs::create_directories(root_);
  std::ofstream(index_) << std::string(4096, 'x');
  const auto report = UpdateIndex(runs_, index_);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, rocm::ErrorCode::kIo);
}

}  // namespace
}  // namespace harness
