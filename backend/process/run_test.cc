// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "backend/process/testing/support.h"

namespace rocm::process {
namespace {

RunOptions Shell(const std::string& script) {
  RunOptions options;
  options.executable = "/bin/sh";
  options.arguments = {"-c", script};
  return options;
}

TEST(RunTest, KeepsTheStreamsApart) {
  const auto output = process::Run(Shell("echo out; echo err >&2; exit 4"));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "out\n");
  EXPECT_EQ(output->err, "err\n");
  EXPECT_EQ(output->exit.exit_code, 4);
}

TEST(RunTest, GetsEveryLineOfAQuickProgram) {
  for (int i = 0; i < test::Rounds(400); ++i) {
    const auto output =
        process::Run(Shell("i=0; while [ $i -lt 50 ]; do echo $i; i=$((i+1)); done"));
    ASSERT_TRUE(output);
    EXPECT_EQ(std::count(output->out.begin(), output->out.end(), '\n'), 50);
  }
}

TEST(RunTest, EndsWhatTakesTooLong) {
  RunOptions options = Shell("sleep 1000");
  options.timeout = std::chrono::milliseconds(50);
  const auto output = process::Run(options);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(test::OwnChildren().empty());
}

TEST(RunTest, EndsWhatPrintsTooMuch) {
  RunOptions options = Shell("while :; do echo endless; done");
  options.max_output_bytes = 10'000;
  const auto output = process::Run(options);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::kLimitExceeded);
}

TEST(RunTest, CanBeCancelled) {
  std::stop_source stop;
  RunOptions options = Shell("sleep 1000");
  options.stop = stop.get_token();
  std::thread canceller([&] { stop.request_stop(); });
  const auto output = process::Run(options);
  canceller.join();
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::kCancelled);
}

TEST(RunTest, AMissingProgramIsAnError) {
  const auto output = process::Run({.executable = "/no/such/program"});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::kBinaryNotFound);
}

}  // namespace
}  // namespace rocm::process
