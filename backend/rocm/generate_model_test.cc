// SPDX-License-Identifier: EUPL-1.2
// What a caller gets from a loaded model, exactly, on the chain model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <memory>
#include <stop_token>
#include <thread>

#include "backend/backend.h"
#include "backend/base/clock.h"
#include "backend/gguf/chain_model.h"
#include "backend/http/control_client.h"
#include "backend/rocm/server_model.h"
#include "backend/rocm/testing/server_under_test.h"
#include "backend/wire/control_reply.h"

namespace rocm {
namespace {

using std::chrono::milliseconds;
using testing::ChainModelPath;
using testing::ChainText;
using ::testing::ElementsAre;
using testing::FindServerUnderTest;
using testing::SmallConfig;

class GenerateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto server = FindServerUnderTest();
    if (server.mock) {
      ASSERT_EQ(server.missing, "");
    }
    if (!server.missing.empty()) GTEST_SKIP() << server.missing;
  }

  void Load(const LoadConfig& config) {
    auto model = GetBackend("cpu")->LoadModel(ChainModelPath(), config);
    ASSERT_TRUE(model) << ToString(model.error());
    model_ = std::move(*model);
  }

  struct Answer {
    std::string text;
    std::vector<std::int32_t> ids;
    int count = 0;
    bool complete = true;
    Result<Completion> end = Completion{};
  };
  static Answer ReadAll(TokenStream& stream) {
    Answer answer;
    for (const Token& token : stream) {
      answer.text += token.text;
      answer.ids.insert(answer.ids.end(), token.ids.begin(), token.ids.end());
      answer.count += token.count;
      answer.complete = answer.complete && token.complete();
    }
    answer.end = stream.Finish();
    return answer;
  }
  Answer Ask(std::string_view prompt, const GenerateConfig& config = {}) {
    auto stream = model_->Generate(prompt, config);
    EXPECT_TRUE(stream) << ToString(stream.error());
    return ReadAll(*stream);
  }

  pid_t ServerPid() { return dynamic_cast<ServerModel&>(*model_).server()->pid(); }

  // Polls until no slot is busy; how long that took.
  milliseconds TimeUntilIdle() {
    const auto server = dynamic_cast<ServerModel&>(*model_).server();
    const http::ControlClient client(server->endpoint());
    const TimePoint start = Now();
    for (;;) {
      const auto reply = client.GetOk("/slots");
      EXPECT_TRUE(reply) << ToString(reply.error());
      if (!reply) return milliseconds::max();
      const auto slots = wire::ParseSlots(reply->body);
      EXPECT_TRUE(slots);
      const bool busy = std::any_of(slots->begin(), slots->end(),
                                    [](const wire::SlotState& slot) { return slot.processing; });
      const auto elapsed = std::chrono::duration_cast<milliseconds>(Now() - start);
      if (!busy || elapsed > milliseconds(10'000)) return elapsed;
    }
  }

  std::unique_ptr<TextModel> model_;
};

TEST_F(GenerateTest, TextIdsAndCountsAreExact) {
  Load(SmallConfig());
  const Answer answer = Ask("hello", {.max_tokens = 5});
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.text, " w333 w334 w335 w336 w337");
  EXPECT_THAT(answer.ids, ElementsAre(598, 599, 600, 601, 602));
  EXPECT_EQ(answer.count, 5);
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.end->finish_reason, FinishReason::kLength);
  EXPECT_EQ(answer.end->usage.completion_tokens, 5);
  EXPECT_EQ(answer.end->usage.prompt_tokens, 6);  // BOS and five bytes
  ASSERT_TRUE(answer.end->timings);
  EXPECT_EQ(answer.end->timings->predicted_n, 5);
}

TEST_F(GenerateTest, CharactersOfSeveralTokensAreCountedAndFlagged) {
  Load(SmallConfig());
  const Answer answer = Ask("hello?", {.max_tokens = 50});
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.text, "é€😀\xEF\xBF\xBD e0 e1 e2");
  EXPECT_EQ(answer.count, 14);
  EXPECT_EQ(answer.end->usage.completion_tokens, 14);
  EXPECT_FALSE(answer.complete);
  EXPECT_THAT(answer.ids, ElementsAre(172, 175, 131, 258, 262, 263, 264, 2));
  EXPECT_EQ(answer.end->finish_reason, FinishReason::kStop);
}

TEST_F(GenerateTest, ChatUsesTheModelsTemplateAndCarriesIds) {
  Load(SmallConfig());
  const std::vector<Message> messages = {{"system", "be brief"}, {"user", "hello"}};
  auto stream = model_->Chat(messages, {.max_tokens = 3});
  ASSERT_TRUE(stream) << ToString(stream.error());
  const Answer answer = ReadAll(*stream);
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.text, " w333 w334 w335");
  EXPECT_THAT(answer.ids, ElementsAre(598, 599, 600));
  // "[system] be brief[user] hello" and BOS.
  EXPECT_EQ(answer.end->usage.prompt_tokens, 30);
}

TEST_F(GenerateTest, TheServersOwnChatHasTheSameTextAndPrompt) {
  Load(SmallConfig());
  const std::vector<Message> messages = {{"user", "hello"}};
  GenerateConfig config{.max_tokens = 3};
  auto ours = model_->Chat(messages, config);
  ASSERT_TRUE(ours);
  const Answer first = ReadAll(*ours);
  config.server_chat = true;
  auto theirs = model_->Chat(messages, config);
  ASSERT_TRUE(theirs);
  const Answer second = ReadAll(*theirs);
  ASSERT_TRUE(first.end && second.end);
  EXPECT_EQ(first.text, second.text);
  EXPECT_EQ(first.end->usage.completion_tokens, second.end->usage.completion_tokens);
  EXPECT_EQ(first.end->usage.prompt_tokens, second.end->usage.prompt_tokens);
}

TEST_F(GenerateTest, AStopTokenEndsTheStreamThereAndFreesTheSlot) {
  Load(SmallConfig(1, 8192));
  auto stream = model_->Generate("hello", {.max_tokens = 8000, .stop_tokens = {600}});
  ASSERT_TRUE(stream);
  const Answer answer = ReadAll(*stream);
  EXPECT_LE(TimeUntilIdle(), milliseconds(100));
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.text, " w333 w334");
  EXPECT_THAT(answer.ids, ElementsAre(598, 599));
  EXPECT_EQ(answer.end->finish_reason, FinishReason::kStopToken);
  EXPECT_EQ(answer.end->matched_stop, "600");
  EXPECT_EQ(answer.end->usage.completion_tokens, 3);
}

TEST_F(GenerateTest, AStopStringMayCrossTokens) {
  Load(SmallConfig());
  const Answer answer = Ask("hello", {.max_tokens = 10, .stop = {"335 w336 w337"}});
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.text, " w333 w334 w");
  EXPECT_EQ(answer.end->finish_reason, FinishReason::kStopString);
  EXPECT_EQ(answer.end->matched_stop, "335 w336 w337");
}

TEST_F(GenerateTest, AStopTokenAmongHeldBackTextKeepsTheTextBeforeIt) {
  Load(SmallConfig());
  // " w334" is held back for the stop string and arrives with the stop token or before it.
  const Answer answer =
      Ask("hello", {.max_tokens = 10, .stop = {"334 w335 w999"}, .stop_tokens = {601}});
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.end->matched_stop, "601");
  EXPECT_EQ(answer.text, " w333 w334 w335");
}

// The end of the generation flushes what was held back, and a token that ends it has no text.
TEST_F(GenerateTest, TextHeldBackBeforeAnEndTokenThatIsAStopTokenIsNotLost) {
  Load(SmallConfig());
  const Answer answer =
      Ask("hello?", {.max_tokens = 50, .stop = {" e2 and on"}, .stop_tokens = {2}});
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.text, "é€😀\xEF\xBF\xBD e0 e1 e2");
  EXPECT_EQ(answer.end->matched_stop, "2");
}

TEST_F(GenerateTest, AStopTokenThatAStopStringCutsLeavesNothingBehind) {
  Load(SmallConfig());
  const Answer answer = Ask("hello", {.max_tokens = 10, .stop = {"35"}, .stop_tokens = {600}});
  ASSERT_TRUE(answer.end) << ToString(answer.end.error());
  EXPECT_EQ(answer.text, " w333 w334");
  EXPECT_EQ(answer.end->matched_stop, "600");
}

TEST_F(GenerateTest, IgnoreEosGoesOnAndTemperatureDoesNotMatter) {
  Load(SmallConfig());
  const Answer warm = Ask("hello", {.max_tokens = 4, .temperature = 1.0, .seed = 7});
  ASSERT_TRUE(warm.end);
  EXPECT_EQ(warm.text, ChainText('o', 4));
  const Answer through = Ask("hi!", {.max_tokens = 8, .ignore_eos = true});
  ASSERT_TRUE(through.end);
  EXPECT_EQ(through.count, 8);
  EXPECT_EQ(through.end->finish_reason, FinishReason::kLength);
}

TEST_F(GenerateTest, ACancelledStreamLeavesTheServerAbleToGenerate) {
  Load(SmallConfig(1, 8192));
  auto stream = model_->Generate("hello", {.max_tokens = 8000});
  ASSERT_TRUE(stream);
  ASSERT_NE(stream->Next(), nullptr);
  stream->Cancel();
  EXPECT_EQ(stream->Next(), nullptr);
  const auto end = stream->Finish();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(Ask("hello", {.max_tokens = 2}).text, " w333 w334");
}

TEST_F(GenerateTest, DroppingAStreamFreesItsSlot) {
  Load(SmallConfig(1, 8192));
  {
    auto stream = model_->Generate("hello", {.max_tokens = 8000});
    ASSERT_TRUE(stream);
    ASSERT_NE(stream->Next(), nullptr);
  }
  EXPECT_LE(TimeUntilIdle(), milliseconds(1'000));
  EXPECT_TRUE(model_->Alive());
}

TEST_F(GenerateTest, AStopTokenOfTheCallerAndADeadlineEndACall) {
  Load(SmallConfig(1, 32768));
  std::stop_source source;
  auto stream = model_->Generate("hello", {.max_tokens = 30000, .cancel = source.get_token()});
  ASSERT_TRUE(stream);
  ASSERT_NE(stream->Next(), nullptr);
  source.request_stop();
  EXPECT_EQ(stream->Finish().error().code, ErrorCode::kCancelled);

  const TimePoint start = Now();
  const Answer late = Ask("hello", {.max_tokens = 30000, .deadline = milliseconds(200)});
  const auto elapsed = Now() - start;
  ASSERT_FALSE(late.end);
  EXPECT_EQ(late.end.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(elapsed, milliseconds(200 + 250));
}

// A server that answers nothing for a while, and then as if nothing had been.
class Pause {
 public:
  explicit Pause(pid_t pid) : pid_(pid) {
    ::kill(pid_, SIGSTOP);
    // Its threads stop one by one.
    siginfo_t stopped{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WNOWAIT);
  }
  ~Pause() { ::kill(pid_, SIGCONT); }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  const pid_t pid_;
};

TEST_F(GenerateTest, AChatsDeadlineCountsTheTemplateToo) {
  Load(SmallConfig(1, 32768));
  const std::vector<Message> messages = {{"user", "hello"}};
  const TimePoint start = Now();
  auto pause = std::make_unique<Pause>(ServerPid());
  std::jthread waker([&] {
    ::poll(nullptr, 0, 700);  // the template's share of the deadline
    pause.reset();
  });
  auto stream = model_->Chat(messages, {.max_tokens = 30000, .deadline = milliseconds(1'000)});
  ASSERT_TRUE(stream) << ToString(stream.error());
  const Answer late = ReadAll(*stream);
  ASSERT_FALSE(late.end);
  EXPECT_EQ(late.end.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(Now() - start, milliseconds(1'000 + 450));
}

TEST_F(GenerateTest, AChatWithoutADeadlineStallsLikeAnyCall) {
  Load(SmallConfig());
  const std::vector<Message> messages = {{"user", "hello"}};
  {
    const Pause pause(ServerPid());
    const auto stream = model_->Chat(messages, {.stall_timeout = milliseconds(200)});
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().code, ErrorCode::kStalled) << ToString(stream.error());
    const auto late = model_->Chat(messages, {.deadline = milliseconds(200)});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded) << ToString(late.error());
  }
  EXPECT_TRUE(model_->Chat(messages, {.max_tokens = 1}));
}

TEST_F(GenerateTest, FourAtOnceOnFourSlotsAreAllExact) {
  Load(SmallConfig(4));
  std::vector<Answer> answers(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      threads.emplace_back([&, i] {
        const std::string prompt = std::string("prompt ") + static_cast<char>('a' + i);
        answers[i] = Ask(prompt, {.max_tokens = 100});
      });
    }
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i].end) << ToString(answers[i].end.error());
    EXPECT_EQ(answers[i].text, ChainText(static_cast<char>('a' + i), 100));
  }
}

TEST_F(GenerateTest, BatchesAndClassificationsKeepTheirOrder) {
  Load(SmallConfig(2));
  std::vector<std::string> prompts;
  for (char c = 'a'; c <= 'h'; ++c) prompts.push_back(std::string("x") + c);
  const auto batch = model_->BatchGenerate(prompts, {.max_tokens = 10});
  const auto labels = model_->Classify(prompts, {});
  ASSERT_EQ(batch.size(), prompts.size());
  ASSERT_EQ(labels.size(), prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ASSERT_TRUE(batch[i]) << ToString(batch[i].error());
    EXPECT_EQ(batch[i]->text, ChainText(prompts[i].back(), 10));
    ASSERT_TRUE(labels[i]) << ToString(labels[i].error());
    const auto byte = static_cast<unsigned char>(prompts[i].back());
    EXPECT_EQ(labels[i]->token_id, gguf::chain::WordToken(3 * byte));
    EXPECT_LE(labels[i]->logprob, 0.0);
    EXPECT_GT(labels[i]->logprob, -0.1);
  }
}

// Sampling and stops are no business of a label's.
TEST_F(GenerateTest, ALabelIsTheMostLikelyTokenWhateverTheCallersGenerationsDo) {
  Load(SmallConfig());
  const std::vector<std::string> prompts = {"hello"};
  const auto labels =
      model_->Classify(prompts, {.temperature = 2.0, .stop = {" w333"}, .stop_tokens = {598}});
  ASSERT_TRUE(labels[0]) << ToString(labels[0].error());
  EXPECT_EQ(labels[0]->token_id, 598);
  EXPECT_GT(labels[0]->logprob, -0.1);
  // The mock has no grammars, which are what makes an unlikely token the label.
  if (FindServerUnderTest().mock) return;
  const auto ruled = model_->Classify(prompts, {.temperature = 2.0,
                                                .stop = {" w129"},
                                                .stop_tokens = {394},
                                                .grammar = "root ::= \" w129\""});
  ASSERT_TRUE(ruled[0]) << ToString(ruled[0].error());
  EXPECT_NE(ruled[0]->token_id, 598);
  EXPECT_LT(ruled[0]->logprob, -1.0);
}

TEST_F(GenerateTest, ErrorsAreOfTheCallThatMadeThem) {
  Load(SmallConfig(1, 256));
  const Answer bad = Ask(std::string(2000, 'x'), {.max_tokens = 2});
  ASSERT_FALSE(bad.end);
  EXPECT_EQ(bad.end.error().code, ErrorCode::kContextExceeded);
  EXPECT_EQ(bad.end.error().http_status, 400);
  ASSERT_TRUE(model_->Err());
  EXPECT_EQ(model_->Err()->code, ErrorCode::kContextExceeded);
  EXPECT_TRUE(Ask("hello", {.max_tokens = 2}).end);
  EXPECT_FALSE(model_->Err());
}

TEST_F(GenerateTest, InfoSaysWhatWasAskedForAndWhatWasApplied) {
  Load(SmallConfig(3, 1024));
  const ModelInfo info = model_->Info();
  EXPECT_EQ(model_->ModelType(), "llama");
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.vocab_size, 1400);
  EXPECT_EQ(info.context_length, 65536);
  EXPECT_EQ(info.backend, "cpu");
  EXPECT_FALSE(info.server_build.empty());
  EXPECT_EQ(info.requested.parallel_slots, 3);
  EXPECT_EQ(info.applied.slots, 3);
  EXPECT_EQ(info.applied.context_per_slot, 1024);
  Ask("hello", {.max_tokens = 5});
  Ask("hello", {.max_tokens = 5});
  const ModelMetrics metrics = model_->Metrics();
  EXPECT_EQ(metrics.generated_tokens, 10);
  EXPECT_EQ(metrics.prompt_tokens, 12);
  EXPECT_GT(metrics.decode_duration.count(), 0);
  EXPECT_GT(metrics.load_duration.count(), 0);
  EXPECT_GT(metrics.active_memory_bytes, 1 << 20);
}

}  // namespace
}  // namespace rocm
