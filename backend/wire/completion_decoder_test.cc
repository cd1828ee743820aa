// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/completion_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/wire/testing.h"

namespace rocm::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Event(std::string_view json) { return "data: " + std::string(json) + "\n\n"; }

TEST(CompletionDecoder, TakesServerTimings) {
  const auto stream = DecodeStream(Api::kNative, BodyOf(ReadTestData("completion_stream.http")));
  ASSERT_TRUE(stream.completion.timings);
  EXPECT_EQ(stream.completion.timings->cache_n, 5);
  EXPECT_EQ(stream.completion.timings->prompt_n, 1);
  EXPECT_DOUBLE_EQ(stream.completion.timings->prompt_ms, 0.406);
  EXPECT_EQ(stream.completion.timings->predicted_n, 3);
  EXPECT_DOUBLE_EQ(stream.completion.timings->predicted_ms, 0.377);
  EXPECT_EQ(stream.completion.usage.cached_tokens, 5);
  EXPECT_FALSE(stream.completion.truncated);
}

TEST(CompletionDecoder, ReadsLogprobsOfEveryDialect) {
  for (const auto& [file, api] :
       std::vector<std::pair<std::string, Api>>{{"completion_nprobs.http", Api::kNative},
                                                {"comp_logprobs.http", Api::kCompletion},
                                                {"chat_logprobs.http", Api::kChat}}) {
    SCOPED_TRACE(file);
    const auto stream = DecodeStream(api, BodyOf(ReadTestData(file)));
    const auto first = std::find_if(stream.deltas.begin(), stream.deltas.end(),
                                    [](const CompletionDelta& d) { return d.has_content(); });
    ASSERT_NE(first, stream.deltas.end());
    ASSERT_EQ(first->top_logprobs.size(), 2U);
    EXPECT_EQ(first->top_logprobs[0].id, 598);
    EXPECT_EQ(first->top_logprobs[0].text, " w333");
    EXPECT_DOUBLE_EQ(first->top_logprobs[0].logprob, 0.0);
    EXPECT_EQ(first->top_logprobs[1].id, 394);
    EXPECT_NEAR(first->top_logprobs[1].logprob, -48.23, 0.01);
  }
  // A grammar may rule out the most likely tokens: what was chosen is among the candidates still.
  const auto constrained = DecodeStream(
      Api::kNative,
      Event(
          R"({"content":" b","tokens":[7],"stop":false,"completion_probabilities":[{"id":7,)"
          R"("token":" b","logprob":-9.5,"top_logprobs":[{"id":3,"token":"a","logprob":0.0}]}]})"));
  ASSERT_EQ(constrained.deltas[0].top_logprobs.size(), 2U);
  EXPECT_EQ(constrained.deltas[0].top_logprobs[0].id, 3);
  EXPECT_EQ(constrained.deltas[0].top_logprobs[1].id, 7);
  EXPECT_EQ(constrained.deltas[0].top_logprobs[1].text, " b");
  EXPECT_DOUBLE_EQ(constrained.deltas[0].top_logprobs[1].logprob, -9.5);
  // After sampling the native API gives probabilities under other names.
  const auto sampled =
      DecodeStream(Api::kNative, BodyOf(ReadTestData("completion_nprobs_post.http")));
  ASSERT_EQ(sampled.deltas[0].top_logprobs.size(), 1U);
  EXPECT_DOUBLE_EQ(sampled.deltas[0].top_logprobs[0].logprob, 0.0);
  // The older OpenAI shape.
  const auto legacy = DecodeStream(
      Api::kCompletion,
      Event(R"({"choices":[{"text":"a","index":0,"logprobs":{"tokens":["a"],"token_logprobs":[-1],)"
            R"("top_logprobs":[{"a":-1,"b":-2.5}],"text_offset":[0]},"finish_reason":null}]})"));
  ASSERT_EQ(legacy.deltas[0].top_logprobs.size(), 2U);
  EXPECT_EQ(legacy.deltas[0].top_logprobs[1].text, "b");
  EXPECT_DOUBLE_EQ(legacy.deltas[0].top_logprobs[1].logprob, -2.5);
}

TEST(CompletionDecoder, ProgressAndRoleEventsStandForNoToken) {
  const auto native =
      DecodeStream(Api::kNative, DechunkedBodyOf(ReadTestData("progress_native.wire")));
  EXPECT_TRUE(native.complete);
  int with_content = 0;
  for (const auto& delta : native.deltas) {
    if (delta.has_content()) {
      ++with_content;
      EXPECT_EQ(delta.count, 1);
    } else {
      EXPECT_EQ(delta.count, 0);
      EXPECT_THAT(delta.ids, IsEmpty());
    }
  }
  EXPECT_EQ(with_content, native.tokens);
  EXPECT_EQ(native.completion.usage.prompt_tokens, 1501);

  const auto chat = DecodeStream(Api::kChat, DechunkedBodyOf(ReadTestData("progress_chat.wire")));
  EXPECT_TRUE(chat.complete);
  EXPECT_THAT(chat.ids, IsEmpty());
  for (const auto& delta : chat.deltas) {
    if (!delta.has_content() && !delta.finish_reason) {
      EXPECT_EQ(delta.count, 0);
    }
  }
}

TEST(CompletionDecoder, PostSamplingProbabilityIsTurnedIntoALogarithm) {
  const auto stream = DecodeStream(
      Api::kNative,
      Event(R"({"content":"a","tokens":[1],"stop":false,"tokens_predicted":1,)"
            R"("completion_probabilities":[{"id":1,"token":"a","prob":0.5,"top_probs":)"
            R"([{"id":1,"token":"a","prob":0.5},{"id":2,"token":"b","prob":0.0}]}]})"));
  ASSERT_EQ(stream.deltas[0].top_logprobs.size(), 2U);
  EXPECT_NEAR(stream.deltas[0].top_logprobs[0].logprob, -0.693147, 1e-6);
  EXPECT_LT(stream.deltas[0].top_logprobs[1].logprob, -1e30);
}

TEST(CompletionDecoder, MidStreamErrorsAreErrorsInEveryForm) {
  for (const auto& [file, api, events] : std::vector<std::tuple<std::string, Api, std::size_t>>{
           {"mid_error_native.wire", Api::kNative, 124},
           {"mid_error_completion.wire", Api::kCompletion, 122},
           {"mid_error_chat.wire", Api::kChat, 117}}) {
    SCOPED_TRACE(file);
    const auto stream = DecodeStream(api, DechunkedBodyOf(ReadTestData(file)));
    EXPECT_GE(stream.deltas.size(), 100U);
    ASSERT_TRUE(stream.error);
    EXPECT_EQ(stream.error->code, ErrorCode::kContextExceeded);
    EXPECT_EQ(stream.error->http_status, 500);
    EXPECT_THAT(stream.error->message, HasSubstr("Context size has been exceeded"));
    EXPECT_FALSE(stream.complete);
    EXPECT_GT(stream.tokens, 100);
  }
  struct Form {
    std::string bytes;
    ErrorCode code;
    std::string message;
  };
  const std::vector<Form> forms = {
      {Event(R"({"error":{"code":500,"message":"boom","type":"server_error"}})"),
       ErrorCode::kServerError, "boom"},
      {Event(R"({"error":{"message":"boom"}})"), ErrorCode::kServerError, "boom"},
      {Event(R"({"error":"boom"})"), ErrorCode::kServerError, "boom"},
      {Event(R"({"object":"error","message":"boom","code":400})"), ErrorCode::kBadRequest, "boom"},
      {Event(R"({"code":503,"message":"boom","type":"unavailable_error"})"),
       ErrorCode::kUnavailable, "boom"},
      {Event(R"({"error":{"code":"context_length_exceeded","message":"too long"}})"),
       ErrorCode::kContextExceeded, "too long"},
      {Event(R"({"detail":"boom"})"), ErrorCode::kServerError, "boom"},
      {"error: {\"code\":500,\"message\":\"boom\",\"type\":\"server_error\"}\n\n" + Event("[DONE]"),
       ErrorCode::kServerError, "boom"},
      {"error: {\"error\":{\"message\":\"boom\"}}\n\n", ErrorCode::kServerError, "boom"},
      {"error: not json at all\n\n", ErrorCode::kServerError, "not json at all"},
      {"event: error\ndata: {\"message\":\"boom\"}\n\n", ErrorCode::kServerError, "boom"},
      {"event: error\ndata: boom\n\n", ErrorCode::kServerError, "boom"},
  };
  for (const Api api : {Api::kNative, Api::kCompletion, Api::kChat}) {
    for (const Form& form : forms) {
      SCOPED_TRACE(form.bytes);
      const auto stream = DecodeStream(api, form.bytes);
      ASSERT_TRUE(stream.error);
      EXPECT_EQ(ToString(stream.error->code), ToString(form.code));
      EXPECT_THAT(stream.error->message, HasSubstr(form.message));
      EXPECT_FALSE(stream.complete);
    }
  }
}

TEST(CompletionDecoder, MalformedEventsAreProtocolErrors) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  for (const Api api : {Api::kNative, Api::kCompletion, Api::kChat}) {
    for (const std::string& data :
         {std::string("{"), std::string("{\"content\":"), std::string("[]"), std::string("7"),
          std::string("\"text\""), std::string("{\"content\":\"a\"}{}"), std::string("nul"),
          std::string("{\"a\":") + deep + "}", std::string("{'content':'a'}"),
          std::string("{\"content\":\"\x01\"}"), std::string("[DONE")}) {
      const auto stream = DecodeStream(api, Event(data));
      ASSERT_TRUE(stream.error) << data.substr(0, 80);
      EXPECT_EQ(stream.error->code, ErrorCode::kProtocol);
      EXPECT_LT(stream.error->message.size(), 400U);
      EXPECT_EQ(stream.error->message.find('\n'), std::string::npos);
    }
  }
}

TEST(CompletionDecoder, CapsTheDepthAt64) {
  const auto nested = [](int depth) {
    return Event("{\"content\":\"a\",\"x\":" + std::string(static_cast<std::size_t>(depth), '[') +
                 std::string(static_cast<std::size_t>(depth), ']') + "}");
  };
  EXPECT_FALSE(DecodeStream(Api::kNative, nested(60)).error);
  EXPECT_TRUE(DecodeStream(Api::kNative, nested(65)).error);
}

TEST(CompletionDecoder, InvalidTextIsReplacedNotRefused) {
  EXPECT_EQ(DecodeStream(Api::kNative, Event("{\"content\":\"a\xFF\xC3(b\"}")).text,
            "a\uFFFD\uFFFD(b");
  EXPECT_EQ(
      DecodeStream(Api::kNative, Event(R"({"content":"a\ud83d b \ude00 c \ud83d\ude00"})")).text,
      "a\uFFFD b \uFFFD c 😀");
  EXPECT_EQ(DecodeStream(Api::kNative, Event(R"({"content":"\\ud83d"})")).text, R"(\ud83d)");
}

TEST(CompletionDecoder, DoneWithoutAFinishReasonIsNotSuccess) {
  for (const Api api : {Api::kNative, Api::kCompletion, Api::kChat}) {
    const auto stream = DecodeStream(api, Event("[DONE]"));
    ASSERT_TRUE(stream.error);
    EXPECT_EQ(stream.error->code, ErrorCode::kTruncated);
    EXPECT_FALSE(stream.complete);
  }
}

TEST(CompletionDecoder, NothingIsReadAfterTheEnd) {
  const auto stream = DecodeStream(
      Api::kNative, Event(R"({"content":"a","stop":true,"stop_type":"eos","tokens_predicted":1})") +
                        Event(R"({"content":"b","stop":false})") + Event("garbage"));
  EXPECT_TRUE(stream.complete);
  EXPECT_EQ(stream.text, "a");
  EXPECT_FALSE(stream.error);
}

TEST(CompletionDecoder, FinishReasonsOfOtherServers) {
  const auto finish = [](const std::string& reason, const std::string& more = "") {
    return DecodeStream(Api::kChat, Event(R"({"choices":[{"index":0,"delta":{"content":"a"},)"
                                          R"("finish_reason":)" +
                                          reason + more + "}]}") +
                                        Event("[DONE]"));
  };
  EXPECT_EQ(finish("\"stop\"").completion.finish_reason, FinishReason::kStop);
  EXPECT_EQ(finish("\"eos_token\"").completion.finish_reason, FinishReason::kStop);
  EXPECT_EQ(finish("\"length\"").completion.finish_reason, FinishReason::kLength);
  EXPECT_EQ(finish("\"tool_calls\"").completion.finish_reason, FinishReason::kToolCalls);
  const auto by_string = finish("\"stop\"", R"(,"stop_reason":"END")");
  EXPECT_EQ(by_string.completion.finish_reason, FinishReason::kStopString);
  EXPECT_EQ(by_string.completion.matched_stop, "END");
  const auto by_token = finish("\"stop\"", R"(,"stop_reason":42)");
  EXPECT_EQ(by_token.completion.finish_reason, FinishReason::kStopToken);
  EXPECT_EQ(by_token.completion.matched_stop, "42");
  EXPECT_EQ(finish("\"stop\"", R"(,"stop_reason":null)").completion.finish_reason,
            FinishReason::kStop);
  for (const std::string reason : {"\"abort\"", "\"content_filter\"", "\"error\""}) {
    const auto failed = finish(reason);
    ASSERT_TRUE(failed.error) << reason;
    EXPECT_EQ(failed.error->code, ErrorCode::kServerError);
    EXPECT_FALSE(failed.complete);
  }
}

TEST(CompletionDecoder, OlderNativeStreams) {
  const auto stream = DecodeStream(
      Api::kNative, Event(R"({"content":" a","stop":false,"id_slot":0,"multimodal":false})") +
                        Event(R"({"content":" b","stop":false,"id_slot":0,"multimodal":false})") +
                        Event(R"({"content":"","id_slot":0,"stop":true,"stopped_eos":false,)"
                              R"("stopped_limit":true,"stopped_word":false,"stopping_word":"",)"
                              R"("tokens_predicted":5,"tokens_evaluated":3,"truncated":true})"));
  EXPECT_TRUE(stream.complete);
  EXPECT_EQ(stream.text, " a b");
  EXPECT_THAT(stream.counts, ElementsAre(-1, -1));  // it did not say: no guess
  EXPECT_EQ(stream.tokens, 5);
  EXPECT_EQ(stream.source, TokenSource::kUsage);
  EXPECT_EQ(stream.completion.finish_reason, FinishReason::kLength);
  EXPECT_TRUE(stream.completion.truncated);
}

TEST(CompletionDecoder, ReasoningAndToolCalls) {
  const auto stream = DecodeStream(
      Api::kChat,
      Event(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]})") +
          Event(R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]})") +
          Event(R"({"choices":[{"index":0,"delta":{"reasoning":"m","content":""}}]})") +
          Event(R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":)"
                R"({"name":"f","arguments":"{\"a\""}}]}}]})") +
          Event(R"({"choices":[{"index":0,"delta":{"content":"so"},"finish_reason":"stop"}]})") +
          Event("[DONE]"));
  EXPECT_TRUE(stream.complete);
  EXPECT_EQ(stream.reasoning, "hmm");
  EXPECT_EQ(stream.text, "so");
  EXPECT_EQ(stream.deltas[3].tool_call, "f{\"a\"");
  EXPECT_TRUE(stream.deltas[3].has_content());
  EXPECT_EQ(stream.source, TokenSource::kChunks);
  EXPECT_EQ(stream.tokens, 4);
}

TEST(CompletionDecoder, RunningUsageAndTokenIdsCount) {
  const auto vllm = DecodeStream(
      Api::kCompletion,
      Event(R"({"choices":[{"index":0,"text":"ab","token_ids":[1,2],"finish_reason":null}]})") +
          Event(R"({"choices":[{"index":0,"text":"c","token_ids":[3],"finish_reason":"stop"}]})") +
          Event(R"({"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":3}})") +
          Event("[DONE]"));
  EXPECT_TRUE(vllm.complete);
  EXPECT_THAT(vllm.counts, ElementsAre(2, 1));
  EXPECT_THAT(vllm.ids, ElementsAre(1, 2, 3));
  EXPECT_EQ(vllm.source, TokenSource::kIds);
  EXPECT_EQ(vllm.tokens, 3);
  const auto running = DecodeStream(
      Api::kCompletion,
      Event(R"({"choices":[{"index":0,"text":"ab"}],"usage":{"completion_tokens":4}})") +
          Event(R"({"choices":[{"index":0,"text":"c"}],"usage":{"completion_tokens":5}})"));
  EXPECT_THAT(running.counts, ElementsAre(4, 1));
  EXPECT_EQ(running.source, TokenSource::kUsage);
  EXPECT_EQ(running.tokens, 5);
}

TEST(CompletionDecoder, NonsenseNumbersNeverReachASum) {
  const auto stream = DecodeStream(
      Api::kNative,
      Event(R"({"content":"a","tokens":[99999999999,-1,1.5,"x"],"tokens_predicted":-7})") +
          Event(R"({"content":"b","tokens_predicted":9223372036854775807,"timings":)"
                R"({"predicted_n":-4,"prompt_ms":-1e300}})") +
          Event(R"({"content":"c","tokens_predicted":1e400})"));
  ASSERT_TRUE(stream.error);  // 1e400 is no JSON number that fits a double
  EXPECT_GE(stream.tokens, 0);
  EXPECT_GE(stream.completion.timings->predicted_n, 0);
  const auto back =
      DecodeStream(Api::kNative, Event(R"({"content":"a","tokens_predicted":5})") +
                                     Event(R"({"content":"b","tokens_predicted":3})") +
                                     Event(R"({"content":"c","tokens_predicted":4})"));
  EXPECT_THAT(back.counts, ElementsAre(5, -1, -1));
}

}  // namespace
}  // namespace rocm::wire
