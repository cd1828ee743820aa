// SPDX-License-Identifier: EUPL-1.2
// The instrument against the mock's own log.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/testing/soak.h"
#include "harness/cli/bench_process.h"
#include "harness/cli/calibrator.h"
#include "harness/cli/model_file.h"

namespace harness {
namespace {

struct Bar {
  int concurrency;
  double p99_ms;
};

// How late a thread of this machine wakes up while something else is measured: where that is no
// better than the bar, the machine is being held against it, not the instrument.
class LagProbe {
 public:
  LagProbe() : thread_([this](std::stop_token stop) { Work(stop); }) {}
  [[nodiscard]] double P99Ms() {
    thread_.request_stop();
    thread_.join();
    std::ranges::sort(lags_ms_);
    return lags_ms_.empty() ? 0 : lags_ms_[lags_ms_.size() * 99 / 100];
  }

 private:
  void Work(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      const rocm::TimePoint due = rocm::Now() + std::chrono::milliseconds(2);
      (void)never.wait_until(lock, due, [] { return false; });
      lags_ms_.push_back(std::chrono::duration<double, std::milli>(rocm::Now() - due).count());
    }
  }
  std::vector<double> lags_ms_;
  std::jthread thread_;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kTimesCount = false;
#else
constexpr bool kTimesCount = true;
#endif

class Truth : public ::testing::TestWithParam<Bar> {};

CalibrationLevel LevelOf(int concurrency) {
  for (CalibrationLevel level : StandardLevels()) {
    level.tokens = rocm::QuickOrFull(16, level.tokens);
    if (level.concurrency == concurrency) return level;
  }
  std::abort();
}

TEST_P(Truth, ChunkTimesAreTheTrueOnes) {
  const auto model = CachedChainModel();
  ASSERT_TRUE(model) << model.error().message;
  const testing::ScratchFolder folder;
  const CalibrationLevel level = LevelOf(GetParam().concurrency);
  std::vector<double> chunk_p99, first_p99, machine_p99;
  for (int run = 0; run < 5; ++run) {
    LagProbe probe;
    const auto point = MeasureLevel(level, *model, folder.At(""), {});
    machine_p99.push_back(probe.P99Ms());
    ASSERT_TRUE(point) << point.error().message;
    EXPECT_EQ(point->count_mismatches, 0);
    EXPECT_EQ(point->requests, level.requests);
    EXPECT_EQ(point->chunks, static_cast<std::int64_t>(level.requests) * level.tokens);
    // Nothing can be seen before it was sent.
    EXPECT_GE(point->chunk_error_ms.min, 0);
    chunk_p99.push_back(point->chunk_error_ms.Find(0.99)->value);
    first_p99.push_back(point->ttft_error_ms.Find(0.99)->value);
    // Three below the bar are the median of five whatever the others are.
    const auto good = [&](const std::vector<double>& values) {
      return std::ranges::count_if(values, [](double v) { return v < GetParam().p99_ms; }) >= 3;
    };
    if (!kTimesCount || (good(chunk_p99) && good(first_p99))) break;
  }
  std::ranges::sort(chunk_p99);
  std::ranges::sort(first_p99);
  std::ranges::sort(machine_p99);
  // The median of five; where three good ones ended it early, the worst of those.
  const auto middle = [](const std::vector<double>& v) {
    return v[std::min<std::size_t>(v.size() - 1, 2)];
  };
  std::printf(
      "%d streams: p99 of chunks %.3f ms, of first chunks %.3f ms, of this machine's own "
      "wake-ups %.3f ms\n",
      level.concurrency, middle(chunk_p99), middle(first_p99), middle(machine_p99));
  if (!kTimesCount) return;
  const double bar = GetParam().p99_ms;
  const bool met = middle(chunk_p99) < bar && middle(first_p99) < bar;
  if (!met && middle(machine_p99) > bar / 4) {
    GTEST_SKIP() << "this machine is too busy to tell: its own wake-ups are " << middle(machine_p99)
                 << " ms late (p99)";
  }
  EXPECT_LT(middle(chunk_p99), bar);
  EXPECT_LT(middle(first_p99), bar);
}

// The promise is 1 ms; a run with ROCM_SOAK holds the stricter bars of a quiet machine.
INSTANTIATE_TEST_SUITE_P(
    Streams, Truth,
    ::testing::Values(Bar{1, rocm::QuickOrFull(1.0, 0.2)}, Bar{16, rocm::QuickOrFull(1.0, 0.3)},
                      Bar{64, rocm::QuickOrFull(1.0, 0.5)}, Bar{256, rocm::QuickOrFull(2.0, 1.0)}),
    [](const auto& test) { return "of_" + std::to_string(test.param.concurrency); });

TEST(Counts, AreExactHoweverTokensArePacked) {
  const auto model = CachedChainModel();
  ASSERT_TRUE(model);
  const testing::ScratchFolder folder;
  CalibrationLevel level;
  level.concurrency = 8;
  level.requests = 32;
  level.tokens = 61;
  level.token_ms = 2;
  level.server_args = {"--mock-tokens-per-chunk", "4"};
  const auto point = MeasureLevel(level, *model, folder.At(""), {});
  ASSERT_TRUE(point) << point.error().message;
  EXPECT_EQ(point->count_mismatches, 0);
  EXPECT_EQ(point->requests, 32);
  EXPECT_EQ(point->chunks, 32 * 16);
}

}  // namespace
}  // namespace harness
