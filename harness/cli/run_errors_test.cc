// SPDX-License-Identifier: EUPL-1.2
// What a user gets wrong: one clear line, the right exit code, nothing left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using ::testing::HasSubstr;

class RunErrors : public ::testing::Test {
 protected:
  // Runs and expects one line on stderr that holds `text`.
  void Expect(int code, const std::string& text, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--out", folder_.At("runs"), "--quiet"});
    arguments.insert(arguments.begin(), "run");
    BenchProcess bench(arguments);
    EXPECT_EQ(bench.Wait(), code) << bench.err();
    EXPECT_THAT(bench.err(), HasSubstr(text));
    const std::string& err = bench.err();
    const auto log_lines = [&] {
      std::size_t n = 0;
      for (std::size_t at = 0; (at = err.find("\n  | ", at)) != std::string::npos; ++at) ++n;
      return n;
    }();
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), static_cast<std::ptrdiff_t>(1 + log_lines))
        << err;
    EXPECT_THAT(err, ::testing::StartsWith("rocm-bench: "));
  }
  const ScratchFolder folder_;
  const std::string decode_ = SourcePath("scenarios/seed/decode.json");
};

TEST_F(RunErrors, MissingScenario) {
  Expect(2, "/none.json: No such file or directory", {"/none.json", "--target", "mock"});
}

TEST_F(RunErrors, UnknownScenarioKeyWithItsPath) {
  std::ifstream in(decode_);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  text.replace(text.find("\"slots\""), 7, "\"slts\"");
  const std::string file = folder_.Write("bad.json", text);
  Expect(2, file + ": $.server.slts: unknown key (did you mean slots?)",
         {file, "--target", "mock"});
}

TEST_F(RunErrors, SomeoneElsesServerIsNeverStruck) {
  const std::string file = SourcePath("scenarios/ci/crash_idle.json");
  Expect(2, file + ": $.kind: a fault strikes the server: it must be one that is started here",
         {file, "--target", "http://127.0.0.1:1"});
}

TEST_F(RunErrors, UnknownTarget) {
  Expect(2, "unknown target vllm", {decode_, "--target", "vllm"});
}

TEST_F(RunErrors, NothingListens) {
  Expect(3, "http://127.0.0.1:1: ", {decode_, "--target", "http://127.0.0.1:1"});
}

TEST_F(RunErrors, MissingModel) {
  Expect(2, "no such file: /none.gguf", {decode_, "--target", "mock", "--model", "/none.gguf"});
}

TEST_F(RunErrors, DirectoryAsModel) {
  Expect(2, "is a directory, not a model file",
         {decode_, "--target", "mock", "--model", folder_.At("")});
}

TEST_F(RunErrors, CorruptModel) {
  const std::string model = folder_.Write("bad.gguf", std::string("GGUF\3\0\0\0", 8));
  Expect(2, model + ": ", {decode_, "--target", "mock", "--model", model});
}

TEST_F(RunErrors, FifoAsModelDoesNotHang) {
  const std::string fifo = folder_.At("fifo.gguf");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Expect(2, fifo, {decode_, "--target", "mock", "--model", fifo});
}

TEST_F(RunErrors, MissingBinary) {
  Expect(2, "/none/llama-server",
         {decode_, "--target", "llama-server", "--server-binary", "/none/llama-server", "--model",
          "/none.gguf"});
}

TEST_F(RunErrors, NoModelForARealServer) {
  Expect(2, "needs --model FILE", {decode_, "--target", "llama-server"});
}

TEST_F(RunErrors, BinaryThatIsNoServer) {
  Expect(2, "/bin/false", {decode_, "--target", "mock", "--server-binary", "/bin/false"});
}

TEST_F(RunErrors, ArgumentThatTheBackendDecides) {
  Expect(2, "--port", {decode_, "--target", "mock", "--server-arg=--port", "--server-arg=1"});
}

TEST_F(RunErrors, ArgumentThatTheServerRefuses) {
  Expect(2, "--mock-nonsense", {decode_, "--target", "mock", "--server-arg=--mock-nonsense"});
}

TEST_F(RunErrors, ServerThatDiesWhileLoading) {
  const std::string faults = folder_.Write(
      "faults.json", R"({"startup": [{"type": "load-exit", "code": 1, "after_ms": 20}]})");
  Expect(3, "ended while loading",
         {decode_, "--target", "mock", "--server-arg=--mock-load-ms", "--server-arg=5000",
          "--server-arg=--mock-faults", "--server-arg=" + faults});
}

TEST_F(RunErrors, OutputThatCannotBeWritten) {
  BenchProcess bench({"run", decode_, "--target", "mock", "--out", "/proc/none", "--quiet"});
  EXPECT_EQ(bench.Wait(), 2);
  EXPECT_THAT(bench.err(), HasSubstr("/proc/none"));
}

TEST_F(RunErrors, OptionsOfAServerThatIsNotOurs) {
  Expect(2, "this target is attached to",
         {decode_, "--target", "http://127.0.0.1:1", "--model", "x"});
}

TEST(Usage, IsBadInput) {
  BenchProcess none({});
  EXPECT_EQ(none.Wait(), 2);
  BenchProcess unknown({"frobnicate"});
  EXPECT_EQ(unknown.Wait(), 2);
  BenchProcess help({"--help"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.out(), HasSubstr("run"));
}

}  // namespace
}  // namespace harness::testing
