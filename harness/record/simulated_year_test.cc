// SPDX-License-Identifier: EUPL-1.2
// A year of nightly run files through the index and the judgement of trends: what was planted is
// found in time, nothing else is, and the whole of it takes seconds.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/testing/soak.h"
#include "harness/base/unique_id.h"
#include "harness/record/history_file.h"
#include "harness/record/run_index.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// Nights by which noise may move the place of a change that hits a metric only in part.
constexpr std::ptrdiff_t kSamePlace = 5;

struct Planted {
  std::size_t night = 0;
  std::string run_id;
  std::string scenario;
  std::string metric;  // that it changes directly
  std::vector<std::string> affects;
  bool by_driver = false;
};

class SimulatedYear : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::path(testing::TempDir()) / ("year-" + UniqueId());
    const std::string program =
        std::string(std::getenv("ROCM_TEST_BIN_DIR")) + "/write-simulated-year";
    std::string folder = folder_.string();
    const auto or_else = [](const char* name, const char* fallback) {
      const char* value = std::getenv(name);
      return std::string(value == nullptr ? fallback : value);
    };
    std::string words[] = {program,    folder,
                           "--seed",   or_else("ROCM_TEST_YEAR_SEED", "1"),
                           "--rounds", or_else("ROCM_TEST_YEAR_ROUNDS", "10")};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    ASSERT_EQ(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv.data(), environ), 0);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    ASSERT_EQ(status, 0);
    std::ifstream file(folder_ / "planted.json");
    for (const auto& change : nlohmann::json::parse(file)) {
      planted_.push_back({change.at("night"), change.at("run_id"), change.at("scenario"),
                          change.at("metric"), change.at("affects"), change.at("by_driver")});
    }
    ASSERT_EQ(planted_.size(), 12U);
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  // Place of the night's run in the series; the next valid one when that night was not valid.
  static std::size_t PlaceOf(const HistorySeries& series, std::size_t night) {
    return static_cast<std::size_t>(std::ranges::lower_bound(series.runs, night) -
                                    series.runs.begin());
  }

  static std::vector<HistoryPoint> Points(const HistorySeries& series, const History& history) {
    std::vector<HistoryPoint> points;
    for (std::size_t i = 0; i < series.runs.size(); ++i) {
      const HistoryRun& run = history.runs[series.runs[i]];
      points.push_back({series.values[i], run.run_id, run.covariates});
    }
    return points;
  }

  // True when a planted change explains one at this place of the series.
  [[nodiscard]] static bool IsPlanted(const HistorySeries& series, std::size_t place) {
    return std::ranges::any_of(planted_, [&](const Planted& change) {
      const auto at = static_cast<std::ptrdiff_t>(PlaceOf(series, change.night));
      return change.scenario == series.scenario &&
             std::ranges::find(change.affects, series.metric) != change.affects.end() &&
             std::abs(at - static_cast<std::ptrdiff_t>(place)) <= kSamePlace;
    });
  }

  static fs::path folder_;
  static std::vector<Planted> planted_;
};
fs::path SimulatedYear::folder_;
std::vector<Planted> SimulatedYear::planted_;

TEST_F(SimulatedYear, WhatWasPlantedIsFoundInThreeNightsAndNothingElse) {
  const fs::path index = folder_ / "index.sqlite";
  const rocm::TimePoint begin = rocm::Now();
  const IndexReport report = UpdateIndex(folder_, index).value();
  const History history = LoadHistory(index).value();
  const std::chrono::duration<double> seconds = rocm::Now() - begin;
  std::printf("index and history of %zu runs: %.2f s\n", history.runs.size(), seconds.count());
  EXPECT_LT(seconds.count(), 5 * 3);  // beside other tests on a busy machine
  EXPECT_EQ(report.added, 365);
  EXPECT_EQ(history.series.size(), 20U);

  int false_alarms = 0;
  for (const HistorySeries& series : history.series) {
    for (const auto& change : series.judgement.changes) {
      false_alarms += IsPlanted(series, change.point.index) ? 0 : 1;
    }
  }
  EXPECT_LE(false_alarms, 1);

  int found = 0;
  int driver_named = 0;
  for (const Planted& change : planted_) {
    const auto series = std::ranges::find_if(history.series, [&](const HistorySeries& s) {
      return s.scenario == change.scenario && s.metric == change.metric;
    });
    ASSERT_NE(series, history.series.end());
    const std::size_t place = PlaceOf(*series, change.night);
    // As the nights came: three of the new level, and not one more.
    const std::vector<HistoryPoint> points = Points(*series, history);
    const auto known = std::span(points).first(std::min(place + 3, points.size()));
    const SeriesJudgement then = JudgeSeries(known, series->metric);
    const auto seen = std::ranges::find_if(then.changes, [&](const auto& c) {
      return c.point.index + 2 >= place && c.point.index <= place + 2;
    });
    if (seen == then.changes.end()) continue;
    ++found;
    if (!change.by_driver) continue;
    const auto names = [](const std::vector<std::string>& suspects) {
      return !suspects.empty() && suspects.front() == "gpus.0.driver";
    };
    driver_named += names(seen->suspects) || names(seen->nearby) ? 1 : 0;
  }
  std::printf("%d of 12 found in three nights, %d false, the driver named %d of 3 times\n", found,
              false_alarms, driver_named);
  EXPECT_GE(found, 11);
  EXPECT_EQ(driver_named, std::ranges::count(planted_, true, &Planted::by_driver));

  // As it is lived: what each night would have told, from all that was known then. Every 60th
  // night, and every single one in the soak (two minutes).
  const std::size_t stride = rocm::QuickOrFull(60, 1);
  int alarms = 0;
  for (const HistorySeries& series : history.series) {
    const std::vector<HistoryPoint> points = Points(series, history);
    std::vector<std::size_t> told;
    for (std::size_t n = 8; n <= points.size(); n += stride) {
      for (const auto& change : JudgeSeries(std::span(points).first(n), series.metric).changes) {
        const std::size_t at = change.point.index;
        const bool known =
            std::ranges::any_of(told, [&](std::size_t t) { return t + 3 >= at && t <= at + 3; });
        if (known || IsPlanted(series, at)) continue;
        told.push_back(at);
        ++alarms;
        std::printf("false: %s %s at %zu, told in night %zu\n", series.scenario.c_str(),
                    series.metric.c_str(), at, n);
      }
    }
  }
  std::printf("told in vain from night to night: %d\n", alarms);
  EXPECT_LE(alarms, 1);
}

}  // namespace
}  // namespace harness
