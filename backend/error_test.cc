// SPDX-License-Identifier: EUPL-1.2
#include "backend/error.h"

#include <gtest/gtest.h>

#include <csignal>
#include <set>

namespace rocm {
namespace {

TEST(ErrorTest, EveryCodeHasItsOwnStableName) {
  std::set<std::string_view> names;
  const int last = static_cast<int>(ErrorCode::kInternal);
  for (int i = 0; i <= last; ++i) {
    const std::string_view name = ToString(static_cast<ErrorCode>(i));
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
  }
}

TEST(ErrorTest, SaysHowTheProcessEnded) {
  EXPECT_EQ(ToString(ExitInfo{.exit_code = 1, .signal = {}}), "exit code 1");
  EXPECT_EQ(ToString(ExitInfo{.exit_code = {}, .signal = SIGKILL}), "signal 9 (Killed)");
}

TEST(ErrorTest, PrintsCodeMessageStatusAndExit) {
  Error error;
  error.code = ErrorCode::kServerExited;
  error.message = "llama-server died";
  error.exit = ExitInfo{.exit_code = {}, .signal = SIGKILL};
  EXPECT_EQ(ToString(error), "server_exited: llama-server died (signal 9 (Killed))");
}

}  // namespace
}  // namespace rocm
