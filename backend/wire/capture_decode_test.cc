// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/completion_decoder.h"

#include <gtest/gtest.h>

#include "backend/wire/testing.h"

namespace rocm::wire {
namespace {

// What a capture must decode to, whole and at every split.
struct Capture {
  std::string file;
  Api api;
  std::string text;
  std::vector<std::int32_t> ids;
  int tokens;
  TokenSource source;
  FinishReason finish;
  int prompt_tokens;
  std::string matched_stop = "";
  std::vector<int> counts = {};  // of the events with text or ids; empty: not looked at
};

std::ostream& operator<<(std::ostream& out, const Capture& capture) { return out << capture.file; }

const std::vector<Capture> kCaptures = {
    {"completion_stream.http",
     Api::kNative,
     " w333 w334 w335",
     {598, 599, 600},
     3,
     TokenSource::kIds,
     FinishReason::kLength,
     6,
     "",
     {1, 1, 1}},
    {"completion_stream_tokens.http",
     Api::kNative,
     " w333 w334",
     {598, 599},
     2,
     TokenSource::kIds,
     FinishReason::kLength,
     6,
     "",
     {1, 1}},
    {"completion_utf8.http",
     Api::kNative,
     "é€😀\uFFFD e0 e1 e2",
     {172, 175, 131, 258, 262, 263, 264, 2},
     14,
     TokenSource::kIds,
     FinishReason::kStop,
     7,
     "",
     {2, 3, 4, 1, 1, 1, 1, 1}},
    {"completion_utf8_nprobs.http",
     Api::kNative,
     "é€😀\uFFFD e0 e1 e2",
     {172, 175, 131, 258, 262, 263, 264, 2},
     14,
     TokenSource::kIds,
     FinishReason::kStop,
     7,
     "",
     {2, 3, 4, 1, 1, 1, 1, 1}},
    {"completion_eos.http",
     Api::kNative,
     " e0 e1 e2",
     {262, 263, 264, 2},
     4,
     TokenSource::kIds,
     FinishReason::kStop,
     7,
     "",
     {1, 1, 1, 1}},
    {"completion_nprobs.http",
     Api::kNative,
     " w333",
     {598},
     1,
     TokenSource::kIds,
     FinishReason::kLength,
     6},
    {"completion_nprobs_post.http",
     Api::kNative,
     " w333",
     {598},
     1,
     TokenSource::kIds,
     FinishReason::kLength,
     6},
    {"completion_max0.http",
     Api::kNative,
     " w333",
     {598},
     1,
     TokenSource::kIds,
     FinishReason::kLength,
     6},
    {"completion_stop_tokens.http",
     Api::kNative,
     " w333 w334 w",
     {598, 599, 600, 601, 602},
     5,
     TokenSource::kIds,
     FinishReason::kStopString,
     6,
     "335 w336 w337",
     {1, 1, 1, 1, 1}},
    {"comp_return_progress.http",
     Api::kNative,
     " w351",
     {616},
     1,
     TokenSource::kIds,
     FinishReason::kLength,
     25,
     "",
     {1}},
    {"completions_stream.http",
     Api::kCompletion,
     " w333 w334 w335 w336",
     {},
     4,
     TokenSource::kUsage,
     FinishReason::kLength,
     6},
    {"completions_stream_usage.http",
     Api::kCompletion,
     " w333 w334",
     {},
     2,
     TokenSource::kUsage,
     FinishReason::kLength,
     6},
    {"comp_eos.http",
     Api::kCompletion,
     " e0 e1 e2",
     {},
     4,
     TokenSource::kUsage,
     FinishReason::kStop,
     7},
    {"comp_stop.http",
     Api::kCompletion,
     " w333 w334 w",
     {},
     3,
     TokenSource::kUsage,
     FinishReason::kStop,
     6},
    {"comp_stop_partial.http",
     Api::kCompletion,
     " w333 w334 w335 w336 w337",
     {},
     5,
     TokenSource::kUsage,
     FinishReason::kLength,
     6},
    {"comp_stop_logprobs.http",
     Api::kCompletion,
     " w333 w334 w",
     {598, 599, 600, 601, 602},
     5,
     TokenSource::kIds,
     FinishReason::kStop,
     6},
    {"comp_logprobs.http",
     Api::kCompletion,
     " w333 w334",
     {598, 599},
     2,
     TokenSource::kIds,
     FinishReason::kLength,
     6},
    {"comp_utf8.http",
     Api::kCompletion,
     "é€😀\uFFFD e0 e1 e2",
     {},
     14,
     TokenSource::kUsage,
     FinishReason::kStop,
     7},
    {"comp_utf8_logprobs.http",
     Api::kCompletion,
     "é€😀\uFFFD e0 e1 e2",
     {172, 175, 131, 258, 262, 263, 264, 2},
     14,
     TokenSource::kUsage,
     FinishReason::kStop,
     7,
     "",
     {-1, -1, -1, -1, -1, -1, -1, -1}},
    {"comp_verbose.http",
     Api::kCompletion,
     " w333 w334",
     {598, 599},
     2,
     TokenSource::kIds,
     FinishReason::kLength,
     6,
     "",
     {1, 1}},
    {"comp_max1.http",
     Api::kCompletion,
     " w333",
     {},
     1,
     TokenSource::kUsage,
     FinishReason::kLength,
     6},
    {"comp_n2.http",
     Api::kCompletion,
     " w333 w334",
     {},
     2,
     TokenSource::kUsage,
     FinishReason::kLength,
     6},
    {"comp_prompt_array2.http",
     Api::kCompletion,
     " w294 w295",
     {},
     2,
     TokenSource::kUsage,
     FinishReason::kLength,
     3},
    {"comp_timings_per_token.http",
     Api::kCompletion,
     " w333 w334",
     {},
     2,
     TokenSource::kUsage,
     FinishReason::kLength,
     6,
     "",
     {1, 1}},
    {"comp_ignore_eos.http",
     Api::kCompletion,
     " e0 e1 e2 w450 w451 w452",
     {},
     6,
     TokenSource::kUsage,
     FinishReason::kLength,
     7},
    {"chat_stream.http",
     Api::kChat,
     " w333 w334 w335",
     {},
     3,
     TokenSource::kTimings,
     FinishReason::kLength,
     13},
    {"chat_stream_usage.http",
     Api::kChat,
     " w333 w334",
     {},
     2,
     TokenSource::kUsage,
     FinishReason::kLength,
     13},
    {"chat_eos.http",
     Api::kChat,
     " e0 e1 e2",
     {},
     4,
     TokenSource::kTimings,
     FinishReason::kStop,
     14},
    {"chat_logprobs.http",
     Api::kChat,
     " w333 w334",
     {598, 599},
     2,
     TokenSource::kIds,
     FinishReason::kLength,
     13},
    {"chat_max1.http",
     Api::kChat,
     " w333",
     {},
     1,
     TokenSource::kTimings,
     FinishReason::kLength,
     13},
    {"chat_timings_per_token.http",
     Api::kChat,
     " w333 w334",
     {},
     2,
     TokenSource::kTimings,
     FinishReason::kLength,
     13,
     "",
     {1, 1}},
};

class CaptureTest : public testing::TestWithParam<Capture> {
 protected:
  static void Check(const DecodedStream& stream, const Capture& expected) {
    ASSERT_FALSE(stream.error) << ToString(*stream.error);
    EXPECT_TRUE(stream.complete);
    EXPECT_EQ(stream.text, expected.text);
    EXPECT_EQ(stream.reasoning, "");
    EXPECT_EQ(stream.ids, expected.ids);
    EXPECT_EQ(stream.tokens, expected.tokens);
    EXPECT_EQ(ToString(stream.source), ToString(expected.source));
    EXPECT_EQ(ToString(stream.completion.finish_reason), ToString(expected.finish));
    EXPECT_EQ(stream.completion.matched_stop, expected.matched_stop);
    EXPECT_EQ(stream.completion.usage.prompt_tokens, expected.prompt_tokens);
    EXPECT_EQ(stream.completion.usage.completion_tokens, expected.tokens);
    if (!expected.counts.empty()) {
      EXPECT_EQ(stream.counts, expected.counts);
    }
  }
};

TEST_P(CaptureTest, DecodesWholeAndAtEverySplit) {
  const std::string body = BodyOf(ReadTestData(GetParam().file));
  ASSERT_GT(body.size(), 500U);
  Check(DecodeStream(GetParam().api, body), GetParam());
  for (std::size_t cut = 0; cut < body.size() && !HasFatalFailure(); cut += kSplitStep) {
    SCOPED_TRACE(cut);
    const std::string_view view = body;
    Check(DecodeStream(GetParam().api, {view.substr(0, cut), view.substr(cut)}), GetParam());
  }
}

// The end marker is the last event: whatever is cut off, even one byte of it, is not a success.
TEST_P(CaptureTest, IsNeverCompleteWhenCut) {
  const std::string body = BodyOf(ReadTestData(GetParam().file));
  const std::size_t end = body.find_last_not_of('\n') + 3;
  ASSERT_LE(end, body.size());
  for (std::size_t cut = 0; cut < end; cut += kSplitStep) {
    ASSERT_FALSE(DecodeStream(GetParam().api, std::string_view(body).substr(0, cut)).complete)
        << "cut at " << cut << " of " << end;
  }
  EXPECT_FALSE(DecodeStream(GetParam().api, std::string_view(body).substr(0, end - 1)).complete);
  EXPECT_TRUE(DecodeStream(GetParam().api, std::string_view(body).substr(0, end)).complete);
}

INSTANTIATE_TEST_SUITE_P(Captures, CaptureTest, testing::ValuesIn(kCaptures),
                         [](const auto& capture) {
                           return capture.param.file.substr(0, capture.param.file.find('.'));
                         });

}  // namespace
}  // namespace rocm::wire
