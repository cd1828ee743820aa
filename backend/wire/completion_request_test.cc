// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/completion_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace rocm::wire {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::string_view kHello = "hello";

json Build(Api api, const Prompt& prompt, const GenerateConfig& config = {},
           const RequestOptions& options = {}) {
  const auto body = BuildRequest(api, prompt, config, options);
  EXPECT_TRUE(body) << body.error().message;
  return body ? json::parse(*body) : json();
}

ErrorCode Refusal(Api api, const Prompt& prompt, const GenerateConfig& config,
                  const RequestOptions& options = {}) {
  const auto body = BuildRequest(api, prompt, config, options);
  EXPECT_FALSE(body) << *body;
  return body ? ErrorCode::kInternal : body.error().code;
}

TEST(CompletionRequest, SetsEverythingExplicitly) {
  const json body = Build(Api::kNative, kHello);
  const json expected = {{"prompt", "hello"},
                         {"stream", true},
                         {"n_predict", 256},
                         {"temperature", 0.0},
                         {"top_k", 0},
                         {"top_p", 1.0},
                         {"min_p", 0.0},
                         {"repeat_penalty", 1.0},
                         {"presence_penalty", 0.0},
                         {"frequency_penalty", 0.0},
                         {"typical_p", 1.0},
                         {"top_n_sigma", -1.0},
                         {"xtc_probability", 0.0},
                         {"dry_multiplier", 0.0},
                         {"dynatemp_range", 0.0},
                         {"mirostat", 0},
                         {"seed", 4294967295U},
                         {"stop", json::array()},
                         {"n_probs", 0},
                         {"ignore_eos", false},
                         {"cache_prompt", true},
                         {"return_tokens", true}};
  for (const auto& [key, value] : expected.items())
    EXPECT_EQ(body.value(key, json()), value) << key;
  EXPECT_EQ(body.size(), expected.size() + 1);  // and response_fields
  EXPECT_THAT(body["response_fields"], testing::Contains("tokens_predicted"));
}

TEST(CompletionRequest, SendsZeroAsZero) {
  GenerateConfig config;
  config.max_tokens = 0;
  config.temperature = 0;
  config.top_k = 0;
  config.top_p = 0;
  config.min_p = 0;
  config.repeat_penalty = 0;
  config.presence_penalty = 0;
  config.frequency_penalty = 0;
  config.seed = 0;
  for (const Api api : {Api::kNative, Api::kCompletion}) {
    const json body = Build(api, kHello, config);
    EXPECT_EQ(body[api == Api::kNative ? "n_predict" : "max_tokens"], 0);
    for (const char* key : {"temperature", "top_k", "top_p", "min_p", "repeat_penalty",
                            "presence_penalty", "frequency_penalty", "seed"}) {
      ASSERT_TRUE(body.contains(key)) << key;
      EXPECT_EQ(body[key], 0) << key;
    }
  }
}

TEST(CompletionRequest, SendsWhatIsSet) {
  GenerateConfig config;
  config.max_tokens = 7;
  config.temperature = 0.5;
  config.top_k = 3;
  config.top_p = 0.25;
  config.min_p = 0.125;
  config.repeat_penalty = 1.5;
  config.presence_penalty = -0.5;
  config.frequency_penalty = 0.75;
  config.seed = 42;
  config.stop = {"a", "é\n"};
  config.ignore_eos = true;
  config.cache_prompt = false;
  config.logprobs = 5;
  config.logit_bias = {{7, 1.5}, {8, -INFINITY}};
  config.grammar = "root ::= \"a\"";
  const json body = Build(Api::kCompletion, kHello, config,
                          {.model = "m", .verbose = true, .return_progress = true});
  EXPECT_EQ(body["max_tokens"], 7);
  EXPECT_EQ(body["temperature"], 0.5);
  EXPECT_EQ(body["top_k"], 3);
  EXPECT_EQ(body["top_p"], 0.25);
  EXPECT_EQ(body["min_p"], 0.125);
  EXPECT_EQ(body["repeat_penalty"], 1.5);
  EXPECT_EQ(body["presence_penalty"], -0.5);
  EXPECT_EQ(body["frequency_penalty"], 0.75);
  EXPECT_EQ(body["seed"], 42);
  EXPECT_EQ(body["stop"], (json{"a", "é\n"}));
  EXPECT_EQ(body["ignore_eos"], true);
  EXPECT_EQ(body["cache_prompt"], false);
  EXPECT_EQ(body["logprobs"], 5);
  EXPECT_EQ(body["logit_bias"], json::parse("[[7,1.5],[8,false]]"));
  EXPECT_EQ(body["grammar"], "root ::= \"a\"");
  EXPECT_EQ(body["model"], "m");
  EXPECT_EQ(body["verbose"], true);
  EXPECT_EQ(body["return_progress"], true);
  EXPECT_EQ(body["stream_options"]["include_usage"], true);
}

TEST(CompletionRequest, TakesTokensAndMessages) {
  const std::vector<std::int32_t> ids = {1, 2, 3};
  EXPECT_EQ(Build(Api::kNative, std::span<const std::int32_t>(ids))["prompt"], (json{1, 2, 3}));
  const std::vector<Message> messages = {{"system", "s"}, {"user", "\"u\"\n"}};
  GenerateConfig config;
  config.logprobs = 2;
  config.json_schema = R"({"type":"object"})";
  const json chat = Build(Api::kChat, std::span<const Message>(messages), config);
  EXPECT_EQ(chat["messages"], json::parse(R"([{"role":"system","content":"s"},)"
                                          R"({"role":"user","content":"\"u\"\n"}])"));
  EXPECT_EQ(chat["logprobs"], true);
  EXPECT_EQ(chat["top_logprobs"], 2);
  EXPECT_EQ(chat["json_schema"]["type"], "object");
  EXPECT_FALSE(chat.contains("prompt"));
}

TEST(CompletionRequest, SpeaksPlainOpenAi) {
  GenerateConfig config;
  config.logit_bias = {{7, 1.5}};
  config.json_schema = "{}";
  const json body = Build(Api::kCompletion, kHello, config, {.model = "m", .llama_server = false});
  for (const auto& [key, value] : body.items()) {
    EXPECT_THAT((std::vector<std::string>{"prompt", "stream", "stream_options", "model",
                                          "max_tokens", "temperature", "top_p", "presence_penalty",
                                          "frequency_penalty", "logit_bias", "response_format"}),
                testing::Contains(key));
  }
  EXPECT_EQ(body["logit_bias"], json::parse(R"({"7":1.5})"));
  EXPECT_EQ(body["response_format"]["json_schema"]["schema"], json::object());
  EXPECT_EQ(Refusal(Api::kNative, kHello, {}, {.llama_server = false}),
            ErrorCode::kInvalidArgument);
}

TEST(CompletionRequest, RefusesWhatCannotBeMeant) {
  const auto refuses = [](auto change, const Prompt& prompt = kHello, Api api = Api::kNative) {
    GenerateConfig config;
    change(config);
    EXPECT_EQ(Refusal(api, prompt, config), ErrorCode::kInvalidArgument);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  refuses([](GenerateConfig& c) { c.max_tokens = -1; });
  refuses([&](GenerateConfig& c) { c.temperature = nan; });
  refuses([](GenerateConfig& c) { c.temperature = -1; });
  refuses([](GenerateConfig& c) { c.top_p = INFINITY; });
  refuses([&](GenerateConfig& c) { c.min_p = nan; });
  refuses([](GenerateConfig& c) { c.top_k = -2; });
  refuses([](GenerateConfig& c) { c.logprobs = -1; });
  refuses([](GenerateConfig& c) { c.stop = {"a", ""}; });
  refuses([](GenerateConfig& c) { c.stop = {"\xFF"}; });
  refuses([](GenerateConfig& c) { c.logit_bias = {{-1, 0.0}}; });
  refuses([&](GenerateConfig& c) { c.logit_bias = {{1, nan}}; });
  refuses([](GenerateConfig& c) { c.grammar = "a", c.json_schema = "{}"; });
  refuses([](GenerateConfig& c) { c.json_schema = "{"; });
  refuses([](GenerateConfig& c) { c.json_schema = "[]"; });
  refuses([](GenerateConfig& c) { c.json_schema = std::string(1'000'000, '['); });
  refuses([](GenerateConfig& c) { c.grammar = "\xC3"; });
  const auto nothing = [](GenerateConfig&) {};
  refuses(nothing, std::string_view("\xFF"));
  refuses(nothing, std::span<const std::int32_t>());
  refuses(nothing, std::span<const Message>(), Api::kChat);
  refuses(nothing, kHello, Api::kChat);
  const std::vector<Message> messages = {{"user", "u"}};
  refuses(nothing, std::span<const Message>(messages), Api::kNative);
  const std::vector<Message> no_role = {{"", "u"}};
  refuses(nothing, std::span<const Message>(no_role), Api::kChat);
  const std::vector<Message> bad_text = {{"user", "\xC3("}};
  refuses(nothing, std::span<const Message>(bad_text), Api::kChat);
}

TEST(CompletionRequest, ControlBodies) {
  const std::vector<Message> messages = {{"user", "u"}};
  EXPECT_EQ(json::parse(*BuildApplyTemplate(messages)),
            json::parse(R"({"messages":[{"role":"user","content":"u"}]})"));
  EXPECT_EQ(json::parse(*BuildTokenize("a\"b", false, true)),
            json::parse(R"({"content":"a\"b","add_special":false,"parse_special":true})"));
  const std::vector<std::int32_t> ids = {1, 2};
  EXPECT_EQ(json::parse(BuildDetokenize(ids)), json::parse(R"({"tokens":[1,2]})"));
  EXPECT_FALSE(BuildTokenize("\xFF"));
}

}  // namespace
}  // namespace rocm::wire
