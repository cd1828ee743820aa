// SPDX-License-Identifier: EUPL-1.2
// history, baseline accept, gate and export as a user runs them, on simulated nights of which the
// last ten are slower.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

// The exit code of one of our test programs.
int RunProgram(const std::string& name, std::vector<std::string> words) {
  words.insert(words.begin(), std::string(std::getenv("ROCM_TEST_BIN_DIR")) + "/" + name);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (::posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return -1;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

Outcome Bench(std::vector<std::string> arguments) {
  BenchProcess bench(std::move(arguments));
  const int code = bench.Wait();
  return {code, bench.out(), bench.err()};
}

// Forty nights, the one planted change in night 30. Made once for all tests.
class GateFlow : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchFolder>();
    ASSERT_EQ(
        RunProgram("write-simulated-year", {Runs(), "--nights", "40", "--changes", "1", "--rounds",
                                            "5", "--requests", "2", "--seed", "3"}),
        0);
    planted_ = json::parse(ReadAll(Runs() + "/planted.json")).at(0);
    ASSERT_LT(planted_["factor"].get<double>(), 1);  // the newer server is slower
    for (const auto& entry : fs::directory_iterator(Runs())) {
      if (entry.path().extension() != ".jsonl") continue;
      const json end = ReadLines(entry.path().string()).back();
      if (end["type"] != "end" || end["status"] != "valid") continue;
      (entry.path().stem() < planted_["run_id"].get<std::string>() ? before_ : after_)
          .push_back(entry.path().string());
    }
    std::ranges::sort(before_);
    std::ranges::sort(after_);
    ASSERT_GE(before_.size(), 25U);
    ASSERT_GE(after_.size(), 5U);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string Runs() { return folder_->At("runs"); }
  [[nodiscard]] std::string At(const std::string& name) const { return own_.At(name); }

  // Accepts four nights before the change.
  void Accept() const {
    const Outcome accepted = Bench({"baseline", "accept", before_[20], before_[21], before_[22],
                                    before_[23], "--baselines", At("b"), "--note", "a note"});
    ASSERT_EQ(accepted.code, 0) << accepted.err;
  }
  [[nodiscard]] std::vector<std::string> Gate(std::vector<std::string> more) const {
    std::vector<std::string> words{"gate", "--baselines", At("b"), "--confirm", At("confirm")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  static std::unique_ptr<ScratchFolder> folder_;
  static std::vector<std::string> before_;  // valid ones only
  static std::vector<std::string> after_;
  static json planted_;
  const ScratchFolder own_;
};
std::unique_ptr<ScratchFolder> GateFlow::folder_;
std::vector<std::string> GateFlow::before_;
std::vector<std::string> GateFlow::after_;
json GateFlow::planted_;

TEST_F(GateFlow, HistoryNamesTheChangeAndWritesItForTheDashboard) {
  const Outcome shown = Bench({"history", "--results", Runs(), "--out", At("history.jsonl")});
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("from run " + planted_["run_id"].get<std::string>()));
  EXPECT_THAT(shown.out, HasSubstr("gpus.0.driver"));
  EXPECT_THAT(shown.out, HasSubstr("20 series; 40 runs"));
  bool told = false;
  for (const json& line : OfType(ReadLines(At("history.jsonl")), "verdict")) {
    told = told || (line["scenario"] == planted_["scenario"] &&
                    line["metric"] == planted_["metric"] && line["run_id"] == planted_["run_id"]);
  }
  EXPECT_TRUE(told);
  const json whole = json::parse(Bench({"history", "--results", Runs(), "--json"}).out);
  EXPECT_EQ(whole["series_list"].size(), 20U);
  EXPECT_EQ(Bench({"history", "--results", Runs(), "--series", "none"}).code, 2);
  EXPECT_EQ(Bench({"history", "--results", At("none")}).code, 2);
}

TEST_F(GateFlow, OneSlowNightIsAWarning_TwoAreARegression) {
  Accept();
  const Outcome one = Bench(Gate({"--candidate", after_[1]}));
  EXPECT_EQ(one.code, 0) << one.out << one.err;
  EXPECT_THAT(one.out, HasSubstr("warning"));
  EXPECT_THAT(one.out, HasSubstr("gpus.0.driver: amdgpu 6.14.5 → amdgpu 6.14.6"));
  EXPECT_THAT(one.out, HasSubstr("to confirm"));
  EXPECT_THAT(one.out, HasSubstr("--rounds 10"));  // its record holds no whole scenario
  const Outcome two = Bench(Gate({"--candidate", after_[1], after_[2], "--junit", At("j.xml"),
                                  "--step-summary", At("s.md"), "--out", At("gate.jsonl")}));
  EXPECT_EQ(two.code, 1) << two.out << two.err;
  EXPECT_THAT(two.out, HasSubstr("regression"));
  EXPECT_THAT(ReadAll(At("j.xml")), HasSubstr("<failure type=\"regression\""));
  EXPECT_THAT(ReadAll(At("s.md")), HasSubstr("**regression**"));
  const auto lines = ReadLines(At("gate.jsonl"));
  EXPECT_EQ(lines.at(0)["type"], "gate");
  EXPECT_EQ(lines[0]["exit_code"], 1);
  EXPECT_FALSE(OfType(lines, "verdict").empty());
  const Outcome same = Bench(Gate({"--candidate", before_[18], before_[19]}));
  EXPECT_EQ(same.code, 0) << same.out;
  EXPECT_THAT(same.out, HasSubstr("0 confirmed regressions"));
}

TEST_F(GateFlow, BadInputIsRefusedInOneLine) {
  const Outcome none = Bench(Gate({"--candidate", after_[1]}));
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("baseline accept RUN"));
  Accept();
  EXPECT_EQ(Bench(Gate({"--candidate", before_[20]})).code, 2);  // on both sides
  EXPECT_EQ(Bench(Gate({"--candidate", after_[1], after_[1]})).code, 2);
  EXPECT_EQ(Bench(Gate({"--candidate", At("none.jsonl")})).code, 2);
  EXPECT_EQ(Bench(Gate({"--baseline", SourcePath("results/baselines/predecessor-rx7800xt.json"),
                        "--candidate", after_[1]}))
                .code,
            2);
  // Half a run, and a run of another machine.
  const std::string text = ReadAll(after_[1]);
  const std::string torn = own_.Write("torn.jsonl", text.substr(0, text.size() / 2));
  const Outcome partial = Bench(Gate({"--candidate", torn}));
  EXPECT_EQ(partial.code, 4);
  EXPECT_THAT(partial.err, HasSubstr("is partial"));
  std::string other = text;
  other.replace(other.find("Simulated GPU"), 13, "Simulator GPU");
  const std::string foreign = own_.Write("foreign.jsonl", other);
  const Outcome refused = Bench(Gate({"--baseline", before_[20], "--candidate", foreign}));
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("gpus.0.model"));
  EXPECT_EQ(Bench({"baseline", "accept", torn, "--baselines", At("b")}).code, 4);
  EXPECT_EQ(Bench({"baseline", "accept", before_[20], foreign, "--baselines", At("b")}).code, 2);
}

TEST_F(GateFlow, AcceptReplacesItsSeriesAndKeepsTheProvenance) {
  Accept();
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(At("b"))) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1U);
  json baseline = json::parse(ReadAll(files[0].string()));
  EXPECT_EQ(baseline["runs"].size(), 4U);
  EXPECT_EQ(baseline["note"], "a note");
  EXPECT_EQ(baseline["series"].size(), 5U);
  EXPECT_EQ(baseline["series"][0]["metrics"]["ttft_ms.p50"]["starts"].size(), 20U);
  ASSERT_EQ(Bench({"baseline", "accept", after_[2], "--baselines", At("b")}).code, 0);
  baseline = json::parse(ReadAll(files[0].string()));
  EXPECT_EQ(baseline["runs"].size(), 1U);  // nothing of the others is left in it
  EXPECT_EQ(baseline["runs"][0]["run_id"], fs::path(after_[2]).stem().string());
  EXPECT_EQ(baseline["series"][0]["metrics"]["ttft_ms.p50"]["starts"].size(), 5U);
}

TEST_F(GateFlow, ExportWritesForNodeExporter) {
  ASSERT_EQ(Bench({"export", before_[0], before_[1], "--textfile", At("t")}).code, 0);
  const std::string text = ReadAll(At("t/rocm_bench.prom"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_run_valid 1"));
  // Two nights of five rounds of two requests.
  EXPECT_THAT(text, HasSubstr(R"(rocm_bench_requests_total{outcome="ok",scenario="decode",)"
                              R"(stage="decode",variant="-"} 20)"));
  EXPECT_EQ(Bench({"export", At("none"), "--textfile", At("t")}).code, 2);
  EXPECT_EQ(Bench({"export", own_.Write("x.jsonl", "no run\n"), "--textfile", At("t")}).code, 2);
}

TEST(RunReports, JUnitAndStepSummaryOfARun) {
  const ScratchFolder folder;
  const Outcome run = Bench({"run", SourcePath("scenarios/seed/ttft.json"), "--target", "mock",
                             "--quiet", "--out", folder.At("runs"), "--junit", folder.At("j.xml"),
                             "--step-summary", folder.At("s.md")});
  ASSERT_EQ(run.code, 0) << run.err;
  const std::string xml = ReadAll(folder.At("j.xml"));
  EXPECT_THAT(xml, HasSubstr("<testsuite name=\"ttft\""));
  EXPECT_THAT(xml, HasSubstr("ttft · requests_failed == 0"));
  EXPECT_THAT(xml, HasSubstr("failures=\"0\" errors=\"0\""));
  EXPECT_THAT(ReadAll(folder.At("s.md")), HasSubstr("## rocm-bench: valid"));
}

}  // namespace
}  // namespace harness::testing
