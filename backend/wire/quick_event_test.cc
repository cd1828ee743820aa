// SPDX-License-Identifier: EUPL-1.2
// The quick reader is held against the parser: what it takes, it must read alike.
#include "backend/wire/quick_event.h"

#include <gtest/gtest.h>

#include <random>

#include "backend/base/testing/soak.h"
#include "backend/wire/json.h"
#include "backend/wire/testing.h"

namespace rocm::wire {
namespace {

struct Reading {
  bool taken = false;
  CompletionDelta delta;
  EventFields fields;
};

Reading Quick(Api api, std::string_view json) {
  Reading out;
  out.taken = api == Api::kNative ? ReadQuickNative(json, out.delta, out.fields)
                                  : ReadQuickOpenAi(json, out.delta, out.fields);
  return out;
}

Reading Parsed(Api api, std::string_view json) {
  Reading out;
  simdjson::dom::element root;
  simdjson::dom::object event;
  out.taken = ParseJson(json, root) == simdjson::SUCCESS &&
              root.get_object().get(event) == simdjson::SUCCESS;
  if (!out.taken) return out;
  if (api == Api::kNative) {
    ReadNativeEvent(event, out.delta, out.fields);
  } else {
    ReadOpenAiEvent(event, out.delta, out.fields);
  }
  return out;
}

// Whether the quick reader took it; fails where the two differ.
bool Agree(Api api, std::string_view json) {
  const Reading quick = Quick(api, json);
  if (!quick.taken) return false;
  const Reading parsed = Parsed(api, json);
  EXPECT_TRUE(parsed.taken) << json;
  EXPECT_EQ(quick.delta.text, parsed.delta.text) << json;
  EXPECT_EQ(quick.delta.reasoning, parsed.delta.reasoning) << json;
  EXPECT_EQ(quick.delta.ids, parsed.delta.ids) << json;
  EXPECT_EQ(parsed.delta.tool_call, "") << json;
  EXPECT_TRUE(parsed.delta.top_logprobs.empty()) << json;
  EXPECT_FALSE(parsed.delta.finish_reason || parsed.delta.usage || parsed.delta.timings) << json;
  EXPECT_EQ(quick.fields.predicted, parsed.fields.predicted) << json;
  EXPECT_EQ(quick.fields.prompt_tokens, parsed.fields.prompt_tokens) << json;
  EXPECT_EQ(quick.fields.choice, parsed.fields.choice) << json;
  EXPECT_EQ(quick.fields.has_choice, parsed.fields.has_choice) << json;
  EXPECT_EQ(quick.fields.role_only, parsed.fields.role_only) << json;
  EXPECT_FALSE(parsed.fields.is_error || parsed.fields.has_message || parsed.fields.progress ||
               parsed.fields.native_stop || parsed.fields.ids_complete)
      << json;
  EXPECT_EQ(parsed.fields.failed_finish, "") << json;
  return true;
}

std::vector<std::pair<Api, std::string>> RealEvents() {
  std::vector<std::pair<Api, std::string>> events;
  for (const auto& [file, api] :
       std::vector<std::pair<std::string, Api>>{{"completion_stream.http", Api::kNative},
                                                {"completion_utf8.http", Api::kNative},
                                                {"completion_nprobs.http", Api::kNative},
                                                {"comp_return_progress.http", Api::kNative},
                                                {"completions_stream.http", Api::kCompletion},
                                                {"comp_utf8.http", Api::kCompletion},
                                                {"comp_verbose.http", Api::kCompletion},
                                                {"comp_logprobs.http", Api::kCompletion},
                                                {"comp_n2.http", Api::kCompletion},
                                                {"chat_stream_usage.http", Api::kChat},
                                                {"chat_logprobs.http", Api::kChat}}) {
    SseDecoder sse;
    (void)sse.Feed(BodyOf(ReadTestData(file)), [&, a = api](const SseEvent& event) {
      events.emplace_back(a, event.data);
      return true;
    });
  }
  return events;
}

TEST(QuickEvent, TakesTheTokensOfRealStreamsAndLeavesTheRest) {
  int taken = 0;
  int left = 0;
  for (const auto& [api, json] : RealEvents()) {
    const bool plain = json.find("timings") == std::string::npos &&
                       json.find("probabilities") == std::string::npos &&
                       json.find("\"logprobs\":{") == std::string::npos &&
                       json.find("progress") == std::string::npos &&
                       json.find("verbose") == std::string::npos &&
                       json.find("\"finish_reason\":\"") == std::string::npos && json[0] == '{';
    EXPECT_EQ(Agree(api, json), plain) << json;
    ++(plain ? taken : left);
  }
  EXPECT_GT(taken, 30);
  EXPECT_GT(left, 10);
}

TEST(QuickEvent, LeavesWhatIsNotStrictJson) {
  const std::string good = R"({"index":0,"content":"a","tokens":[1,-2],"tokens_predicted":1})";
  EXPECT_TRUE(Agree(Api::kNative, good));
  EXPECT_TRUE(Agree(Api::kNative, R"( { "content" : "\"\\\/\n\t\r\b\f" , "tokens" : [ ] } )"));
  EXPECT_TRUE(Agree(Api::kNative, "{}"));
  for (const std::string& json : {std::string(""),
                                  std::string("{"),
                                  std::string("[]"),
                                  good + "x",
                                  good + "}",
                                  std::string(R"({"content":"a",})"),
                                  std::string(R"({,"content":"a"})"),
                                  std::string(R"({"content":"a" "stop":false})"),
                                  std::string(R"({"content" "a"})"),
                                  std::string(R"({"content":"\u0041"})"),
                                  std::string(R"({"content":"\x"})"),
                                  std::string(R"({"content":"a)"),
                                  std::string("{\"content\":\"\n\"}"),
                                  std::string("{\"content\":\"\xFF\"}"),
                                  std::string("{\"content\":\"\xC3\"}"),
                                  std::string(R"({"tokens":[1,]})"),
                                  std::string(R"({"tokens":[01]})"),
                                  std::string(R"({"tokens":[1.5]})"),
                                  std::string(R"({"tokens":[1e3]})"),
                                  std::string(R"({"tokens":[3000000000]})"),
                                  std::string(R"({"tokens":[-]})"),
                                  std::string(R"({"tokens":[1 2]})"),
                                  std::string(R"({"tokens_predicted":-1})"),
                                  std::string(R"({"tokens_predicted":9999999999999999999})"),
                                  std::string(R"({"stop":true})"),
                                  std::string(R"({"stop":falsey})"),
                                  std::string(R"({"content":null})"),
                                  std::string(R"({"error":{}})"),
                                  std::string(R"({"unknown":1})")}) {
    EXPECT_FALSE(Quick(Api::kNative, json).taken) << json;
  }
}

// Real events with random damage: the quick reader may decline, never disagree.
TEST(QuickEvent, AgreesWithTheParserOnDamagedEvents) {
  static constexpr std::string_view kBytes = "{}[]\",:\\ntfu0123456789.-eE \x01\x7f\xc3\xa9\xff";
  const auto events = RealEvents();
  std::mt19937 random(3);
  int taken = 0;
  const int rounds = QuickOrFull(100'000, 2'000'000);
  for (int round = 0; round < rounds; ++round) {
    auto [api, json] = events[random() % events.size()];
    for (auto changes = random() % 3 + 1; changes > 0; --changes) {
      const std::size_t at = random() % json.size();
      switch (random() % 4) {
        case 0: json[at] = kBytes[random() % kBytes.size()]; break;
        case 1: json.erase(at, 1 + random() % 4); break;
        case 2: json.insert(at, 1, kBytes[random() % kBytes.size()]); break;
        default: json.insert(at, json.substr(random() % json.size(), random() % 12)); break;
      }
      if (json.empty()) json = "{}";
    }
    if (Agree(api, json)) ++taken;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(taken, rounds / 100);
}

}  // namespace
}  // namespace rocm::wire
