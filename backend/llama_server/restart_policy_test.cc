// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/restart_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rocm::llama_server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr TimePoint kStart{std::chrono::hours(1)};

Error Death(ErrorCode code = ErrorCode::kServerExited) {
  Error error;
  error.code = code;
  return error;
}

RestartPolicy Policy(int max) {
  RestartPolicy policy;
  policy.max_restarts = max;
  policy.window = seconds(60);
  policy.initial_backoff = milliseconds(100);
  policy.max_backoff = milliseconds(350);
  return policy;
}

TEST(RestartDeciderTest, IsOffByDefault) {
  RestartDecider decider{RestartPolicy{}};
  const RestartDecision decision = decider.Decide(Death(), kStart);
  EXPECT_FALSE(decision.restart);
  EXPECT_THAT(decision.reason, HasSubstr("not switched on"));
}

TEST(RestartDeciderTest, WaitsLongerEachTimeAndThenStops) {
  RestartDecider decider{Policy(4)};
  std::vector<milliseconds> delays;
  for (int i = 0; i < 4; ++i) {
    const RestartDecision decision = decider.Decide(Death(), kStart + seconds(i));
    EXPECT_TRUE(decision.restart);
    delays.push_back(decision.delay);
  }
  EXPECT_THAT(delays, ::testing::ElementsAre(milliseconds(100), milliseconds(200),
                                             milliseconds(350), milliseconds(350)));
  const RestartDecision last = decider.Decide(Death(), kStart + seconds(5));
  EXPECT_FALSE(last.restart);
  EXPECT_THAT(last.reason, HasSubstr("4 restarts within 60000 ms"));
}

TEST(RestartDeciderTest, AQuietWindowResetsEverything) {
  RestartDecider decider{Policy(2)};
  EXPECT_EQ(decider.Next(Death(), kStart), milliseconds(100));
  EXPECT_EQ(decider.Next(Death(), kStart + seconds(30)), milliseconds(200));
  EXPECT_EQ(decider.Next(Death(), kStart + seconds(59)), std::nullopt);
  // The first has left the window, the second has not.
  EXPECT_EQ(decider.Next(Death(), kStart + seconds(60)), milliseconds(200));
  EXPECT_EQ(decider.Next(Death(), kStart + seconds(500)), milliseconds(100));
}

TEST(RestartDeciderTest, NeverWhereItWouldNotHelp) {
  for (const ErrorCode code :
       {ErrorCode::kInvalidArgument, ErrorCode::kCancelled, ErrorCode::kClosed,
        ErrorCode::kBinaryNotFound, ErrorCode::kModelNotFound, ErrorCode::kModelInvalid,
        ErrorCode::kModelUnsupported, ErrorCode::kInsufficientMemory, ErrorCode::kOutOfMemory,
        ErrorCode::kStartTimeout, ErrorCode::kIo, ErrorCode::kInternal}) {
    RestartDecider decider{Policy(4)};
    EXPECT_FALSE(decider.Decide(Death(code), kStart).restart) << ToString(code);
    EXPECT_THAT(decider.Decide(Death(code), kStart).reason, HasSubstr(ToString(code)));
  }
  for (const ErrorCode code :
       {ErrorCode::kServerExited, ErrorCode::kDeviceError, ErrorCode::kPortInUse}) {
    RestartDecider decider{Policy(4)};
    EXPECT_TRUE(decider.Decide(Death(code), kStart).restart) << ToString(code);
  }
}

TEST(RestartDeciderTest, ARefusalCostsNothing) {
  RestartDecider decider{Policy(1)};
  EXPECT_FALSE(decider.Decide(Death(ErrorCode::kOutOfMemory), kStart).restart);
  EXPECT_TRUE(decider.Decide(Death(), kStart).restart);
}

}  // namespace
}  // namespace rocm::llama_server
