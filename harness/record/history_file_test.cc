// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/history_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "harness/base/unique_id.h"
#include "harness/record/run_index.h"
#include "harness/record/run_lines.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// One night of one scenario, as lines of a run file that a test may damage.
struct Night {
  int day = 1;  // of January
  double ttft = 10;
  std::string driver = "6.1";
  std::string status = "valid";  // empty: no end
  bool judged = true;
  std::string build = "b1";
  int schema = 1;
  json gpu = "A";
};

class HistoryFileTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(runs_); }
  void TearDown() override { fs::remove_all(root_); }

  static std::string RunId(int day) {
    return (day < 10 ? "2026010" : "202601") + std::to_string(day) + "T020000Z-00000000";
  }

  static std::vector<json> Lines(const Night& night) {
    RunHeader header;
    header.target = "mock";
    header.fingerprint.identity = {{"backend", "mock"}, {"gpus", {{{"model", night.gpu}}}}};
    header.fingerprint.covariates = {{"gpus", {{{"driver", night.driver}}}},
                                     {"environment", {{"GGML_X", "1"}}}};
    json head = json::parse(HeaderLine(header, RunId(night.day)));
    head["schema"] = night.schema;
    head["started_at"] = "2026-01-" + std::string(night.day < 10 ? "0" : "") +
                         std::to_string(night.day) + "T02:00:00.000Z";
    RunEvent started;
    started.event = "server_started";
    started.detail = {{"build", night.build}};
    StageSummary summary;
    summary.scenario = "decode";
    summary.stage = "steady";
    summary.requests = 1;
    summary.distributions["ttft_ms"] = Describe(std::vector<double>{night.ttft});
    SummaryContext context;
    context.timing_judged = night.judged;
    const std::string series =
        SeriesKey(header.fingerprint, "decode", "", "steady", context.settings);
    std::vector<json> lines{head, json::parse(EventLine(started)),
                            json::parse(SummaryLine(summary, context, series))};
    if (!night.status.empty()) {
      json end = json::parse(EndLine({}, 1, 0));
      end["status"] = night.status;
      lines.push_back(end);
    }
    return lines;
  }

  fs::path Write(const Night& night, const std::string& extra = "") const {
    const fs::path path = runs_ / (RunId(night.day) + ".jsonl");
    std::ofstream file(path);
    for (const json& line : Lines(night)) file << line.dump() << '\n';
    file << extra;
    return path;
  }

  History Load(const std::string& pattern = "", const std::vector<std::string>& metrics = {}) {
    HistoryQuery query;
    query.pattern = pattern;
    query.metrics = metrics;
    report_ = UpdateIndex(runs_, index_).value();
    return LoadHistory(index_, query).value();
  }

  const fs::path root_ = fs::path(testing::TempDir()) / ("history-" + UniqueId());
  const fs::path runs_ = root_ / "runs";
  const fs::path index_ = root_ / "index.sqlite";
  IndexReport report_;
};

TEST_F(HistoryFileTest, OnlyWholeValidRunsOfThisSchemaAreInATrend) {
  Write({.day = 3, .ttft = 12});
  Write({.day = 1, .ttft = 10});
  Write({.day = 2, .ttft = 99, .status = "invalid"});
  Write({.day = 4, .ttft = 98, .status = ""}, R"({"type":"summary","scen)");  // killed
  Write({.day = 5, .ttft = 97, .schema = 2});
  std::ofstream(runs_ / "20260106T020000Z-00000000.jsonl") << "\x01garbage\n{}\n[1,2\n";
  Write({.day = 7, .ttft = 13}, "{\"type\":\"summary\",,}\n");  // a broken line, but an end
  const History history = Load();
  ASSERT_EQ(history.series.size(), 1U);
  EXPECT_THAT(history.series[0].values, ElementsAre(10, 12, 13));
  EXPECT_EQ(history.series[0].metric, "ttft_ms.p50");
  std::map<std::string, std::string> states;
  for (const HistoryRun& run : history.runs) states[run.file.substr(6, 2)] = run.status;
  EXPECT_THAT(states, ElementsAre(Pair("01", "valid"), Pair("02", "invalid"), Pair("03", "valid"),
                                  Pair("04", "partial"), Pair("05", "unsupported"),
                                  Pair("06", "damaged"), Pair("07", "valid")));
  EXPECT_THAT(report_.problems, testing::Contains(HasSubstr("schema 2, this program reads 1")));
  EXPECT_THAT(report_.problems, testing::Contains(HasSubstr("no header")));
}

// The instrument was late that night: neither a point of the trend, nor the end of its judgement.
TEST_F(HistoryFileTest, ANightThatIsNotJudgedIsLeftOut) {
  Write({.day = 1, .ttft = 10});
  Write({.day = 2, .ttft = 99, .judged = false});
  Write({.day = 3, .ttft = 12});
  Write({.day = 4, .ttft = 98, .judged = false});
  const History history = Load();
  ASSERT_EQ(history.series.size(), 1U);
  EXPECT_TRUE(history.series[0].judged);
  EXPECT_THAT(history.series[0].values, ElementsAre(10, 12));
  EXPECT_EQ(history.series[0].runs.size(), 2U);
}

TEST_F(HistoryFileTest, ACopyOfARunIsOneNight) {
  const fs::path first = Write({.day = 1});
  Write({.day = 2, .ttft = 11});
  fs::copy_file(first, runs_ / "copy.jsonl");
  EXPECT_THAT(Load().series.at(0).values, ElementsAre(10, 11));
}

TEST_F(HistoryFileTest, IdentityParts_CovariatesDoNot) {
  Write({.day = 1, .driver = "6.1", .build = "b1"});
  Write({.day = 2, .driver = "6.2", .build = "b2"});
  Write({.day = 3, .gpu = "B"});
  const History history = Load();
  ASSERT_EQ(history.series.size(), 2U);
  EXPECT_EQ(history.series[0].values.size() + history.series[1].values.size(), 3U);
  EXPECT_EQ(history.identities.size(), 2U);
  EXPECT_TRUE(history.runs[0].changed.empty());
  EXPECT_TRUE(history.runs[2].changed.empty());  // nothing of its identity before it
  std::map<std::string, std::string> changed;
  for (const auto& change : history.runs[1].changed) {
    changed[change.name] = change.before + ">" + change.after;
  }
  // The build comes from the server that was started, after the header was written.
  EXPECT_THAT(changed,
              ElementsAre(Pair("gpus.0.driver", "6.1>6.2"), Pair("server_build", "b1>b2")));
}

TEST_F(HistoryFileTest, TimesThatAreNotJudgedAreShown) {
  for (int day = 1; day <= 20; ++day) {
    Write({.day = day, .ttft = day < 11 ? 10.0 : 20.0, .judged = false});
  }
  const History history = Load();
  EXPECT_EQ(history.series.at(0).values.size(), 20U);
  EXPECT_FALSE(history.series[0].judged);
  EXPECT_TRUE(history.series[0].judgement.verdicts.empty());
}

TEST_F(HistoryFileTest, TheLinesSayWhatWasFound) {
  for (int day = 1; day <= 24; ++day) {
    // Twelve nights of about 10, twelve of about 12; the driver changes with the level.
    const double wobble = 0.01 * ((day * 7) % 5);
    Write({.day = day,
           .ttft = (day <= 12 ? 10 : 12) + wobble,
           .driver = day <= 12 ? "6.1" : "6.2",
           .build = "b" + std::to_string(day)});
  }
  Write({.day = 25, .ttft = 50, .status = "invalid"});
  const History history = Load();
  std::map<std::string, std::vector<json>> by_type;
  std::istringstream in(HistoryLines(history, {}, "results/runs", "1.2.3"));
  for (std::string line; std::getline(in, line);) {
    const json parsed = json::parse(line);
    by_type[parsed.at("type")].push_back(parsed);
  }
  const json& head = by_type["history"].at(0);
  EXPECT_EQ(head["runs"]["valid"], 24);
  EXPECT_EQ(head["runs"]["invalid"], 1);
  EXPECT_EQ(head["newest"]["run_id"], RunId(25));
  EXPECT_EQ(head["newest_valid"]["run_id"], RunId(24));
  EXPECT_EQ(by_type["run"].size(), 25U);
  EXPECT_EQ(by_type["run"][12]["changed"]["gpus.0.driver"], json({"6.1", "6.2"}));
  const json& series = by_type["series"].at(0);
  EXPECT_EQ(series["unit"], "ms");
  EXPECT_EQ(series["better"], "lower");
  EXPECT_EQ(series["state"], "regression");
  ASSERT_EQ(series["levels"].size(), 2U);
  EXPECT_EQ(series["levels"][1]["first"], 12);
  EXPECT_EQ(series["levels"][1]["last"], 23);
  EXPECT_NEAR(series["levels"][0]["mean"].get<double>(), 10.02, 0.01);
  EXPECT_EQ(series["changes"][0]["suspects"], json({"gpus.0.driver", "server_build"}));
  const json& verdict = by_type["verdict"].at(0);
  EXPECT_EQ(verdict["kind"], "change_point");
  EXPECT_EQ(verdict["finding"], "regression");
  EXPECT_EQ(verdict["scenario"], "decode");
  EXPECT_EQ(verdict["point"], 12);
  EXPECT_EQ(verdict["run_id"], RunId(13));
}

TEST_F(HistoryFileTest, PatternsAndMetrics) {
  Write({.day = 1});
  EXPECT_EQ(Load("decode").series.size(), 1U);
  EXPECT_EQ(Load("*steady ttft*").series.size(), 1U);
  EXPECT_EQ(Load(Load().series[0].series).series.size(), 1U);
  EXPECT_TRUE(Load("none").series.empty());
  const History other = Load("", {"ttft_ms.p99"});
  ASSERT_EQ(other.series.size(), 1U);
  EXPECT_EQ(other.series[0].metric, "ttft_ms.p99");
}

TEST_F(HistoryFileTest, AnEmptyFolderHasNoTrends) {
  const History history = Load();
  EXPECT_TRUE(history.runs.empty());
  EXPECT_EQ(json::parse(HistoryLines(history, {}, "x", "1"))["newest"], json(nullptr));
}

}  // namespace
}  // namespace harness
