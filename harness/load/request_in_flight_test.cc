// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/request_in_flight.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <optional>
#include <string>

#include "harness/measure/request_metrics.h"
#include "harness/scenario/stage.h"

namespace harness {
namespace {

using rocm::wire::CompletionDelta;
using rocm::wire::TokenSource;

constexpr std::int64_t kMs = 1'000'000;

class RequestInFlightTest : public ::testing::Test {
 protected:
  RequestInFlightTest() {
    input_.stage = &stage_;
    prepared_.output_tokens = 100;
    request_.emplace(state_, key_, prepared_);
  }
  static rocm::TimePoint At(int ms) { return rocm::TimePoint(std::chrono::milliseconds(ms)); }

  void Chunk(const std::string& text, int at_ms, int count = 1) {
    CompletionDelta delta;
    delta.text = text;
    delta.count = count;
    request_->OnDelta(delta, At(at_ms), false);
  }
  void NoText(int at_ms, int count, std::optional<rocm::FinishReason> reason = {}) {
    CompletionDelta delta;
    delta.count = count;
    delta.finish_reason = reason;
    request_->OnDelta(delta, At(at_ms), false);
  }
  const RequestRecord& Finish(int tokens, TokenSource source) {
    rocm::http::StreamEnd end;
    end.times.sent = At(900);
    end.times.finished = At(1'100);
    end.tokens = tokens;
    end.token_source = source;
    request_->Finish(std::move(end), std::nullopt);
    return request_->done.record;
  }
  static int TokensOfChunks(const RequestRecord& record) {
    return std::accumulate(record.chunks.begin(), record.chunks.end(), 0,
                           [](int sum, const ChunkTime& chunk) { return sum + chunk.tokens; });
  }

  Stage stage_{.name = "s"};
  StagePlanInput input_;
  StageState state_{input_};
  RequestKey key_{.stage = "s"};
  PreparedRequest prepared_;
  std::optional<RequestInFlight> request_;
};

// Three words and the end-of-text token, 10 ms apart: 30 ms over three intervals.
TEST_F(RequestInFlightTest, TheTokenThatEndsAnAnswerIsPartOfItsTime) {
  Chunk("a", 1'000);
  Chunk("b", 1'010);
  Chunk("c", 1'020);
  NoText(1'030, 1);
  NoText(1'030, 0, rocm::FinishReason::kStop);
  const RequestRecord& record = Finish(4, TokenSource::kIds);
  EXPECT_EQ(record.last_token_ns, 1'030 * kMs);
  EXPECT_EQ(TokensOfChunks(record), 4);
  EXPECT_DOUBLE_EQ(Measure(record).tpot_ms.value(), 10);
}

TEST_F(RequestInFlightTest, WithoutCountsInEventsTheStopIsItsTime) {
  Chunk("a", 1'000, -1);
  Chunk("b", 1'010, -1);
  NoText(1'020, -1, rocm::FinishReason::kStop);
  NoText(1'050, -1);  // the usage, later
  EXPECT_DOUBLE_EQ(Measure(Finish(3, TokenSource::kUsage)).tpot_ms.value(), 10);
}

TEST_F(RequestInFlightTest, AnAnswerCutAtItsLengthEndsWithItsText) {
  Chunk("a", 1'000, -1);
  Chunk("b", 1'010, -1);
  NoText(1'040, -1, rocm::FinishReason::kLength);
  EXPECT_DOUBLE_EQ(Measure(Finish(2, TokenSource::kUsage)).tpot_ms.value(), 10);
}

TEST_F(RequestInFlightTest, CountedChunksKnowNothingOfAnEndWithoutText) {
  Chunk("a", 1'000, -1);
  Chunk("b", 1'010, -1);
  NoText(1'040, -1, rocm::FinishReason::kStop);
  EXPECT_DOUBLE_EQ(Measure(Finish(2, TokenSource::kChunks)).tpot_ms.value(), 10);
}

TEST_F(RequestInFlightTest, HalfACharacterBelongsToTheChunkThatCompletesIt) {
  Chunk("a", 1'000);
  NoText(1'010, 1);
  Chunk("é", 1'020);
  const RequestRecord& record = Finish(3, TokenSource::kIds);
  ASSERT_EQ(record.chunks.size(), 2u);
  EXPECT_EQ(record.chunks.back().tokens, 2);
  EXPECT_EQ(record.last_token_ns, 1'020 * kMs);
}

}  // namespace
}  // namespace harness
