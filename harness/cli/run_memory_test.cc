// SPDX-License-Identifier: EUPL-1.2
// What a run says of loads, memory and bandwidth, end to end on the mock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(LoadTime, EachRoundLoadsFromThePageCacheThatWasAskedFor) {
  const ScratchFolder folder;
  BenchProcess bench({"run", SourcePath("scenarios/load_time/load_time.json"), "--target", "mock",
                      "--rounds", "3", "--out", folder.At(""), "--quiet"});
  ASSERT_EQ(bench.Wait(std::chrono::seconds(60)), 0) << bench.err();
  EXPECT_THAT(bench.out(), HasSubstr("load_time page_cache=cold: loaded in "));
  const auto lines = ReadLines(folder.RunFile());
  int ready = 0;
  for (const json& event : OfType(lines, "event")) {
    if (event["event"] != "server_ready") continue;
    ++ready;
    const json& detail = event["detail"];
    EXPECT_GT(detail["load_ms"], 0);
    EXPECT_GT(detail["server_rss_bytes"], 0);
    const bool cold = event["variant"] == "page_cache=cold";
    EXPECT_EQ(detail["page_cache"], cold ? "cold" : "warm");
    const double share = detail["page_cache_resident_ratio"];
    // A folder in memory (tmpfs) keeps its files, and then says so.
    EXPECT_TRUE(cold ? share <= 0.01 || detail.contains("page_cache_problem") : share == 1)
        << detail.dump();
  }
  EXPECT_EQ(ready, 6);
  for (const json& summary : OfType(lines, "summary")) {
    EXPECT_GT(summary["values"]["load_ms"], 0);
    if (summary["round"] == -1) {
      EXPECT_EQ(summary["rounds"]["load_ms"]["n"], 3);
    }
  }
}

TEST(Bandwidth, GivenItIsHeldAgainstTheDecodeRate) {
  const ScratchFolder folder;
  BenchProcess bench({"run", SourcePath("scenarios/seed/decode.json"), "--target", "mock",
                      "--bandwidth", "10", "--out", folder.At(""), "--quiet"});
  ASSERT_EQ(bench.Wait(std::chrono::seconds(60)), 0) << bench.err();
  EXPECT_THAT(bench.out(), HasSubstr("MBU %"));
  const auto lines = ReadLines(folder.RunFile());
  double bytes = 0;
  for (const json& event : OfType(lines, "event")) {
    if (event["event"] != "memory_bandwidth") continue;
    EXPECT_EQ(event["detail"]["bytes_per_second"], 10e9);
    EXPECT_EQ(event["detail"]["source"], "given");
    bytes = event["detail"]["weight_bytes_per_token"];
  }
  ASSERT_GT(bytes, 1e6);
  const auto summaries = OfType(lines, "summary");
  ASSERT_FALSE(summaries.empty());
  const json& first = summaries.front();
  const double rate = first["metrics"]["decode_tokens_per_s"]["p50"]["value"];
  EXPECT_NEAR(first["values"]["bandwidth_utilisation_ratio"].get<double>(), bytes * rate / 10e9,
              1e-9);
}

TEST(Bandwidth, OfTheMockNothingIsSaid) {
  const ScratchFolder folder;
  BenchProcess bench({"run", SourcePath("scenarios/seed/ttft.json"), "--target", "mock", "--out",
                      folder.At(""), "--quiet"});
  ASSERT_EQ(bench.Wait(std::chrono::seconds(60)), 0) << bench.err();
  EXPECT_EQ(bench.out().find("MBU"), std::string::npos);
  int said = 0;
  for (const json& event : OfType(ReadLines(folder.RunFile()), "event")) {
    if (event["event"] == "memory_bandwidth") {
      EXPECT_EQ(event["detail"]["not_known"], "the mock reads no weights");
      ++said;
    }
    if (event["event"] == "server_stopped") {
      // The bar of 0.5 % of a core; a run this short is mostly the two looks around each stage.
      EXPECT_LT(event["detail"]["telemetry_cpu_ms"].get<double>(),
                50 + 0.005 * event["detail"]["lived_ms"].get<double>());
    }
  }
  EXPECT_EQ(said, 1);
}

}  // namespace
}  // namespace harness::testing
