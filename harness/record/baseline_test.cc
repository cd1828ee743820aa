// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/base/sha256.h"
#include "harness/base/unique_id.h"
#include "harness/record/run_lines.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class BaselineTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(root_); }
  void TearDown() override { fs::remove_all(root_); }

  fs::path Write(const std::string& name, const std::vector<json>& lines,
                 const std::string& extra = "") const {
    std::ofstream file(root_ / name, std::ios::binary);
    for (const json& line : lines) file << line.dump() << '\n';
    file << extra;
    return root_ / name;
  }

  static json Header(const std::string& gpu = "A", double temperature = 0) {
    RunHeader header;
    header.target = "llama-server";
    header.tool_version = "1.2.3";
    header.command = {"rocm-bench", "run", "decode.json"};
    header.scenarios = {{{"name", "decode"}, {"workload", {{"temperature", temperature}}}}};
    header.fingerprint.identity = {{"backend", "rocm"},
                                   {"gpus", {{{"model", gpu}, {"uuid", "GPU-1"}}}},
                                   {"model", {{"name", "Gemma 3 4B"}, {"sha256", "ab"}}}};
    header.fingerprint.covariates = {{"kernel", "6.1"}};
    return json::parse(HeaderLine(header, "20260101T020000Z-00000000"));
  }

  static json Started(int round) {
    RunEvent event;
    event.event = "server_started";
    event.scenario = "decode";
    event.round = round;
    event.detail = {{"binary", "/opt/a/llama-server"}, {"build", "b1"}};
    return json::parse(EventLine(event));
  }

  // So that rounds on one server are known to be on it.
  static json StageStarted(int round) {
    RunEvent event;
    event.event = "stage_started";
    event.scenario = "decode";
    event.round = round;
    event.stage = "steady";
    return json::parse(EventLine(event));
  }

  static json Request(int round, int index, const std::string& text) {
    RequestRecord record;
    record.scenario = "decode";
    record.stage = "steady";
    record.round = round;
    record.index = index;
    record.outcome = "ok";
    record.text_sha256 = Sha256Hex(text);
    std::string line;
    AppendRequestLine(record, false, line);
    return json::parse(line);
  }

  static json Summary(int round, double ttft, double bound = 0) {
    StageSummary summary;
    summary.scenario = "decode";
    summary.stage = "steady";
    summary.round = round;
    summary.requests = 4;
    summary.requests_ok = 3;
    summary.requests_failed = 1;
    summary.distributions["ttft_ms"] = Describe(std::vector<double>{ttft});
    summary.values["throughput_tokens_per_s"] = 1000 / ttft;
    summary.values["goodput_ratio"] = 0;  // has no ratio
    SummaryContext context;
    context.settings = {{"slots", 1}};
    if (bound > 0) context.error_bounds["ttft_ms.p50"] = bound;
    return json::parse(SummaryLine(summary, context, "00000000deadbeef"));
  }

  static json End(RunStatus status = RunStatus::kValid) {
    RunEnd end;
    end.status = status;
    return json::parse(EndLine(end, 4, 0));
  }

  const fs::path root_ = fs::path(testing::TempDir()) / ("baseline-" + UniqueId());
};

TEST_F(BaselineTest, ARoundCountsByItsServerStart) {
  // Two servers: rounds 0 and 1 on the first, round 2 on the second.
  const fs::path path =
      Write("r.jsonl", {Header(), Started(0), StageStarted(0), Request(0, 0, "x"), StageStarted(1),
                        Started(2), StageStarted(2), Request(2, 1, "later"), Summary(0, 10),
                        Summary(1, 14), Summary(2, 20), Summary(kAllRounds, 15, 0.5), End()});
  const Baseline run = BaselineOfRun(path).value();
  ASSERT_EQ(run.series.size(), 1U);
  const BaselineSeries& series = run.series[0];
  EXPECT_THAT(series.metrics.at("ttft_ms.p50").starts, ElementsAre(12, 20));
  EXPECT_EQ(series.metrics.at("ttft_ms.p50").value, 15);
  EXPECT_EQ(series.metrics.at("ttft_ms.p50").error_bound, 0.5);
  EXPECT_FALSE(series.metrics.contains("goodput_ratio"));
  EXPECT_FALSE(series.metrics.contains("ttft_ms.p99"));  // one sample does not carry it
  EXPECT_EQ(series.requests_failed, 1);
  EXPECT_THAT(series.answers, ElementsAre(Pair(0, Sha256Hex("x").substr(0, 16))));
  ASSERT_EQ(run.runs.size(), 1U);
  EXPECT_EQ(run.runs[0].status, "valid");
  EXPECT_EQ(run.runs[0].binary, "/opt/a/llama-server");
  EXPECT_EQ(run.runs[0].build, "b1");
  EXPECT_EQ(run.covariates["server_build"], "b1");
  EXPECT_EQ(run.runs[0].file_sha256, Sha256File(path).value());
}

TEST_F(BaselineTest, OnlyGreedyAnswersAreCompared) {
  const Baseline run =
      BaselineOfRun(Write("r.jsonl", {Header("A", 0.8), Request(0, 0, "x"), Summary(0, 10), End()}))
          .value();
  EXPECT_TRUE(run.series.at(0).answers.empty());
  EXPECT_THAT(run.series[0].metrics.at("ttft_ms.p50").starts, ElementsAre(10));
}

TEST_F(BaselineTest, DamageIsNeverValid) {
  const std::vector<json> good{Header(), Summary(0, 10), End()};
  EXPECT_EQ(BaselineOfRun(Write("torn.jsonl", {Header(), Summary(0, 10)}, "{\"type\":\"en"))
                ->runs[0]
                .status,
            "partial");
  std::vector<json> lines{Header(), Summary(0, 10)};
  const fs::path broken = Write("broken.jsonl", lines, "{\"type\":\n" + End().dump() + "\n");
  EXPECT_EQ(BaselineOfRun(broken)->runs[0].status, "invalid");
  EXPECT_THAT(BaselineOfRun(broken)->runs[0].reasons.at(0), HasSubstr("1 lines"));
  EXPECT_EQ(
      BaselineOfRun(Write("invalid.jsonl", {Header(), End(RunStatus::kInvalid)}))->runs[0].status,
      "invalid");
  json other = Header();
  other["schema"] = 2;
  EXPECT_THAT(BaselineOfRun(Write("other.jsonl", {other, End()})).error().message,
              HasSubstr("schema 2"));
  EXPECT_THAT(BaselineOfRun(Write("none.jsonl", {End()})).error().message, HasSubstr("no header"));
  EXPECT_FALSE(BaselineOfRun(root_ / "missing.jsonl"));
}

TEST_F(BaselineTest, RunsOfOneIdentityJoin) {
  Baseline all =
      BaselineOfRun(Write("a.jsonl", {Header(), Started(0), Summary(0, 10), End()})).value();
  const Baseline more =
      BaselineOfRun(Write("b.jsonl", {Header(), Started(0), Summary(0, 14), End()})).value();
  ASSERT_TRUE(AddRun(all, more));
  EXPECT_THAT(all.series.at(0).metrics.at("ttft_ms.p50").starts, ElementsAre(10, 14));
  EXPECT_EQ(all.series[0].metrics.at("ttft_ms.p50").value, 12);
  EXPECT_EQ(all.runs.size(), 2U);
  const auto foreign =
      AddRun(all, BaselineOfRun(Write("c.jsonl", {Header("B"), Summary(0, 10), End()})).value());
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, rocm::ErrorCode::kInvalidArgument);
  EXPECT_THAT(foreign.error().message, HasSubstr("gpus.0.model: B is not A"));
}

TEST_F(BaselineTest, AFileReadsBackAsItWasWritten) {
  Baseline baseline = BaselineOfRun(Write("a.jsonl", {Header(), Started(0), Request(0, 3, "x"),
                                                      Summary(0, 10, 0.1), End()}))
                          .value();
  baseline.note = "before the update";
  const fs::path path = BaselinePath(root_, baseline.identity);
  EXPECT_THAT(path.filename().string(), testing::StartsWith("rocm-a-gemma-3-4b-"));
  std::ofstream(path) << BaselineJson(baseline);
  const Baseline back = LoadBaseline(path).value();
  EXPECT_EQ(BaselineJson(back), BaselineJson(baseline));
  EXPECT_EQ(back.series.at(0).answers.at(3), Sha256Hex("x").substr(0, 16));
  EXPECT_TRUE(IdentityDifferences(back.identity, baseline.identity).empty());
}

TEST_F(BaselineTest, WhatIsNoBaselineIsRefusedWithItsPlace) {
  const json good = json::parse(BaselineJson(
      BaselineOfRun(Write("a.jsonl", {Header(), Started(0), Summary(0, 10), End()})).value()));
  const auto refuse = [&](const json& value) {
    std::ofstream(root_ / "x.json") << value.dump();
    const auto loaded = LoadBaseline(root_ / "x.json");
    return loaded ? std::string("loaded") : loaded.error().message;
  };
  EXPECT_EQ(refuse(good), "loaded");
  json bad = good;
  bad["schema"] = 9;
  EXPECT_THAT(refuse(bad), HasSubstr("schema 9"));
  bad = good;
  bad["kind"] = "guessed";
  EXPECT_THAT(refuse(bad), HasSubstr("$.kind"));
  bad = good;
  bad["series"][0]["metrics"]["ttft_ms.p50"]["value"] = -1;
  EXPECT_THAT(refuse(bad), HasSubstr("$.series[0] metric ttft_ms.p50 has no positive value"));
  bad = good;
  bad["series"][0]["metrics"]["ttft_ms.p50"]["starts"] = {1, "x"};
  EXPECT_THAT(refuse(bad), HasSubstr("ttft_ms.p50"));
  bad = good;
  bad["series"][0].erase("scenario");
  EXPECT_THAT(refuse(bad), HasSubstr("$.series[0]"));
  bad = good;
  bad["series"][0]["answers"] = {{"one", "ab"}};
  EXPECT_THAT(refuse(bad), HasSubstr("answers"));
  std::ofstream(root_ / "x.json") << good.dump().substr(0, 200);
  EXPECT_THAT(LoadBaseline(root_ / "x.json").error().message, HasSubstr("not one JSON object"));
  std::ofstream(root_ / "x.json") << std::string(100'000, '[');
  EXPECT_FALSE(LoadBaseline(root_ / "x.json"));
}

TEST_F(BaselineTest, PublishedFiguresNeedTheirHardwareAndModel) {
  const fs::path folder = fs::path(std::getenv("ROCM_TEST_SOURCE_DIR")) / "results/baselines";
  json identity = {
      {"backend", "rocm"},
      {"gpus", {{{"model", "AMD Radeon RX 7800 XT"}, {"uuid", "GPU-1"}}}},
      {"model",
       {{"architecture", "gemma3"}, {"quantisation", "Q4_K_M"}, {"bytes", 2'489'757'856}}}};
  const auto found = PublishedFor(folder, identity);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].read_only);
  bool decode = false;
  for (const BaselineSeries& series : found[0].series) {
    EXPECT_EQ(series.match["architecture"], "gemma3");
    if (series.scenario != "decode") continue;
    decode = true;
    EXPECT_EQ(series.metrics.at("decode_tokens_per_s.p50").value, 102.5);
    EXPECT_FALSE(series.metrics.at("decode_tokens_per_s.p50").note.empty());
  }
  EXPECT_TRUE(decode);
  identity["model"]["bytes"] = 800'000'000;  // a 1B
  EXPECT_TRUE(PublishedFor(folder, identity).empty());
  identity["model"]["bytes"] = 2'489'757'856;
  identity["gpus"][0]["model"] = "AMD Radeon RX 7900 XTX";
  EXPECT_TRUE(PublishedFor(folder, identity).empty());
}

}  // namespace
}  // namespace harness
