// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/control_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/wire/testing.h"

namespace rocm::wire {
namespace {

using testing::ElementsAre;

TEST(ControlReply, ReadsRealAnswers) {
  const auto props = ParseProps(BodyOf(ReadTestData("get_props.http")));
  ASSERT_TRUE(props);
  EXPECT_EQ(props->model_alias, "tiny-llama.gguf");
  EXPECT_EQ(props->model_path, "tiny-llama.gguf");
  EXPECT_EQ(props->build_info, "b11669-Debian");
  EXPECT_EQ(props->bos_token, "<s>");
  EXPECT_EQ(props->eos_token, "</s>");
  EXPECT_EQ(props->total_slots, 4);
  EXPECT_EQ(props->context_per_slot, 512);
  EXPECT_EQ(props->chat_template,
            "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}");

  const auto slots = ParseSlots(BodyOf(ReadTestData("get_slots.http")));
  ASSERT_TRUE(slots);
  ASSERT_EQ(slots->size(), 4U);
  EXPECT_EQ((*slots)[3].id, 3);
  EXPECT_EQ((*slots)[3].context, 512);
  EXPECT_FALSE((*slots)[3].processing);

  const auto models = ParseModels(BodyOf(ReadTestData("get_v1_models.http")));
  ASSERT_TRUE(models);
  ASSERT_EQ(models->size(), 1U);
  EXPECT_EQ((*models)[0].id, "tiny-llama.gguf");
  EXPECT_THAT((*models)[0].aliases, ElementsAre("tiny-llama.gguf"));
  EXPECT_EQ((*models)[0].vocabulary, 1400);
  EXPECT_EQ((*models)[0].context_train, 4096);
  EXPECT_EQ((*models)[0].parameters, 653952);

  const auto tokens = ParseTokens(BodyOf(ReadTestData("tokenize.http")));
  ASSERT_TRUE(tokens);
  EXPECT_EQ(tokens->size(), 17U);
  EXPECT_EQ((*tokens)[1], 107);
  EXPECT_THAT(*ParseTokens(R"({"tokens":[1,107]})"), ElementsAre(1, 107));
  EXPECT_EQ(*ParseDetokenized(BodyOf(ReadTestData("detokenize.http"))), "<s>h w333 w334");
  EXPECT_EQ(*ParseTemplated(BodyOf(ReadTestData("apply_template.http"))), "[user] hello");
}

TEST(ControlReply, AnythingElseIsAProtocolError) {
  const std::string deep(1'000'000, '[');
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("null"), std::string("7"),
        std::string("<html>"), deep, std::string(R"({"error":{"message":"no"}})"),
        std::string(R"({"tokens":["x"]})"), std::string(R"({"content":7,"prompt":null})"),
        std::string(R"({"data":[7]})"), std::string("[7]")}) {
    SCOPED_TRACE(body.substr(0, 40));
    EXPECT_EQ(ParseSlots(body).error().code, ErrorCode::kProtocol);
    EXPECT_EQ(ParseModels(body).error().code, ErrorCode::kProtocol);
    EXPECT_EQ(ParseTokens(body).error().code, ErrorCode::kProtocol);
    EXPECT_EQ(ParseDetokenized(body).error().code, ErrorCode::kProtocol);
    EXPECT_EQ(ParseTemplated(body).error().code, ErrorCode::kProtocol);
  }
  EXPECT_EQ(ParseProps("[]").error().code, ErrorCode::kProtocol);
  EXPECT_EQ(ParseProps(R"({"error":{}})").error().code, ErrorCode::kProtocol);
  EXPECT_TRUE(ParseProps("{}"));
  EXPECT_EQ(ParseProps("{}")->total_slots, -1);
  EXPECT_EQ(ParseProps(R"({"total_slots":"4"})")->total_slots, -1);
}

}  // namespace
}  // namespace rocm::wire
