// SPDX-License-Identifier: EUPL-1.2
// Many threads, generating and cancelling at random, on one model.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "backend/base/clock.h"
#include "backend/base/testing/soak.h"
#include "backend/http/control_client.h"
#include "backend/rocm/server_model.h"
#include "backend/rocm/testing/server_under_test.h"
#include "backend/wire/control_reply.h"

namespace rocm {
namespace {

using std::chrono::milliseconds;
using testing::ChainModelPath;
using testing::ChainText;
using testing::FindServerUnderTest;
using testing::SmallConfig;

milliseconds Duration() { return milliseconds(QuickOrFull(3'000, 60'000)); }

struct Tally {
  std::atomic<int> completed{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> wrong{0};
};

// One caller: random prompt, random length, and one time in three it walks away.
void Call(TextModel& model, std::mt19937& random, Tally& tally) {
  const char last = static_cast<char>('a' + random() % 26);
  const int tokens = 1 + static_cast<int>(random() % 60);
  const bool walks_away = random() % 3 == 0;
  const int leaves_after = static_cast<int>(random() % 20);
  auto stream = model.Generate(std::string("stress ") + last, {.max_tokens = tokens});
  ASSERT_TRUE(stream) << ToString(stream.error());
  std::string text;
  for (int steps = 0; const Token* token = stream->Next(); ++steps) {
    text += token->text;
    if (walks_away && steps == leaves_after) {
      ++tally.cancelled;
      if (random() % 2 == 0) stream->Cancel();  // else the destructor does it
      return;
    }
  }
  const auto end = stream->Finish();
  ASSERT_TRUE(end) << ToString(end.error());
  ++tally.completed;
  if (text != ChainText(last, tokens) || end->usage.completion_tokens != tokens) ++tally.wrong;
}

TEST(StressTest, ThirtyTwoThreadsGetExactAnswersAndLeaveTheServerIdle) {
  const auto server = FindServerUnderTest();
  if (server.mock) {
    ASSERT_EQ(server.missing, "");
  }
  if (!server.missing.empty()) GTEST_SKIP() << server.missing;
  LoadConfig config = SmallConfig(4, 512);
  config.expected_streams = 40;
  auto model = GetBackend("cpu")->LoadModel(ChainModelPath(), config);
  ASSERT_TRUE(model) << ToString(model.error());

  Tally tally;
  const TimePoint until = Now() + Duration();
  {
    std::vector<std::jthread> threads;
    for (unsigned seed = 0; seed < 32; ++seed) {
      threads.emplace_back([&, seed] {
        std::mt19937 random(seed);
        while (Now() < until && !::testing::Test::HasFailure()) Call(**model, random, tally);
      });
    }
  }
  std::printf("%d answers, %d walked away\n", tally.completed.load(), tally.cancelled.load());
  EXPECT_GT(tally.completed, 0);
  EXPECT_GT(tally.cancelled, 0);
  EXPECT_EQ(tally.wrong, 0);

  const http::ControlClient client(dynamic_cast<ServerModel&>(**model).server()->endpoint());
  bool busy = true;
  for (const TimePoint patience = Now() + milliseconds(10'000); busy && Now() < patience;) {
    const auto reply = client.GetOk("/slots");
    ASSERT_TRUE(reply) << ToString(reply.error());
    const auto slots = wire::ParseSlots(reply->body);
    ASSERT_TRUE(slots);
    busy = std::any_of(slots->begin(), slots->end(),
                       [](const wire::SlotState& slot) { return slot.processing; });
  }
  EXPECT_FALSE(busy);
}

}  // namespace
}  // namespace rocm
