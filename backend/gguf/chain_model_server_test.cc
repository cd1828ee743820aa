// SPDX-License-Identifier: EUPL-1.2
// The chain model on a real llama-server: what comes back is what the header promises, exactly.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "backend/gguf/chain_model.h"
#include "backend/gguf/real_server_for_tests.h"

namespace rocm::gguf {
namespace {

using nlohmann::json;

class ChainModelServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto executable = RealServer::Find();
    if (!executable) return;
    std::string folder = (std::filesystem::temp_directory_path() / "chain-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = new std::string(folder);
    const std::string model = folder + "/chain.gguf";
    ASSERT_TRUE(WriteChainModel(model));
    server_ = new RealServer(*executable, {"-m", model, "-c", "4096", "-np", "2", "-t", "1",
                                           "--threads-http", "8", "--no-warmup"});
    ASSERT_TRUE(server_->Ready(std::chrono::seconds(240))) << server_->Log();
  }

  static void TearDownTestSuite() {
    delete server_;
    if (folder_ != nullptr) std::filesystem::remove_all(*folder_);
    delete folder_;
    server_ = nullptr;
    folder_ = nullptr;
  }

  void SetUp() override {
    if (server_ == nullptr) {
      GTEST_SKIP() << "ROCM_TEST_LLAMA_SERVER names no llama-server";
    }
  }

  static json Post(const std::string& path, const json& body) {
    httplib::Client client("127.0.0.1", server_->port());
    client.set_read_timeout(60);
    client.set_keep_alive(true);
    const auto answer = client.Post(path, body.dump(), "application/json");
    if (!answer) {
      ADD_FAILURE() << path << ": no answer; the server said:\n" << server_->Log();
      return json::object();
    }
    EXPECT_EQ(answer->status, 200) << answer->body;
    return json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
  }

  static json Complete(const json& prompt, int count, double temperature = 0.0) {
    return Post("/completion", {{"prompt", prompt},
                                {"n_predict", count},
                                {"temperature", temperature},
                                {"top_k", 0},
                                {"top_p", 1.0},
                                {"min_p", 0.0},
                                {"seed", 7},
                                {"return_tokens", true},
                                {"cache_prompt", false}});
  }

  static std::string* folder_;
  static RealServer* server_;
};

std::string* ChainModelServer::folder_ = nullptr;
RealServer* ChainModelServer::server_ = nullptr;

std::string Text(const std::vector<std::int32_t>& tokens) {
  std::string text;
  for (const std::int32_t token : tokens) text += chain::Piece(token);
  return text;
}

TEST_F(ChainModelServer, HelloCountsUpFromWord333AtAnyTemperature) {
  for (const double temperature : {0.0, 1.0}) {
    const json answer = Complete("hello", 40, temperature);
    const std::vector<std::int32_t> expected = chain::Continuation(chain::ByteToken('o'), 40);
    ASSERT_EQ(expected.front(), 598);
    ASSERT_EQ(expected.size(), 40U);
    EXPECT_EQ(answer.value("tokens", std::vector<std::int32_t>{}), expected);
    EXPECT_EQ(answer.value("content", ""), Text(expected));
    EXPECT_TRUE(answer.value("content", "").starts_with(" w333 w334 w335"));
    EXPECT_EQ(answer.value("tokens_predicted", -1), 40);
    EXPECT_EQ(answer.value("tokens_evaluated", -1), 6);
    EXPECT_EQ(answer.value("stop_type", ""), "limit");
  }
}

TEST_F(ChainModelServer, ExclamationMarkEndsAfterThreeTokens) {
  for (const double temperature : {0.0, 1.0}) {
    const json answer = Complete("hello!", 20, temperature);
    EXPECT_EQ(answer.value("content", ""), " e0 e1 e2");
    EXPECT_EQ(answer.value("tokens_predicted", -1), 4) << "the end token is counted";
    EXPECT_EQ(answer.value("stop_type", ""), "eos");
  }
}

TEST_F(ChainModelServer, QuestionMarkYieldsCharactersOfSeveralTokens) {
  for (const double temperature : {0.0, 1.0}) {
    const json answer = Complete("hello?", 20, temperature);
    EXPECT_EQ(answer.value("content", ""), "é€😀\uFFFD e0 e1 e2");
    EXPECT_EQ(answer.value("tokens_predicted", -1), 14);
    EXPECT_EQ(answer.value("stop_type", ""), "eos");
  }
}

TEST_F(ChainModelServer, EveryTokenWithASuccessorIsFollowedByIt) {
  for (std::int32_t token = 0; token < chain::kVocabSize; ++token) {
    if (!chain::Successor(token)) continue;
    const json answer = Complete(json::array({chain::kBos, token}), 3, 1.0);
    std::vector<std::int32_t> expected = chain::Continuation(token, 3);
    std::vector<std::int32_t> got = answer.value("tokens", std::vector<std::int32_t>{});
    EXPECT_EQ(answer.value("tokens_predicted", -1), static_cast<int>(expected.size()));
    // The end token is counted, and shown or not as the server likes.
    if (expected.back() == chain::kEos && got.size() + 1 == expected.size()) expected.pop_back();
    ASSERT_EQ(got, expected) << "after token " << token;
  }
}

TEST_F(ChainModelServer, AFullRoundOfTheWordsComesBackToItsStart) {
  const int count = chain::kWords + 1;
  const json answer = Complete("hello", count, 1.0);
  const auto tokens = answer.value("tokens", std::vector<std::int32_t>{});
  EXPECT_EQ(tokens, chain::Continuation(chain::ByteToken('o'), count));
  ASSERT_FALSE(tokens.empty());
  EXPECT_EQ(tokens.front(), tokens.back());
}

TEST_F(ChainModelServer, TokenisingGivesOneTokenAByte) {
  for (const std::string text : {"hello", "hello w001 w002?", "é€😀 \n!", "a<|b"}) {
    const json answer = Post("/tokenize", {{"content", text}, {"add_special", true}});
    EXPECT_EQ(answer.value("tokens", std::vector<std::int32_t>{}), chain::Tokenise(text)) << text;
  }
}

TEST_F(ChainModelServer, TheTemplateEndsWithTheUsersOwnText) {
  const json messages = json::array(
      {{{"role", "system"}, {"content", "be brief"}}, {{"role", "user"}, {"content", "hello"}}});
  EXPECT_EQ(Post("/apply-template", {{"messages", messages}}).value("prompt", ""),
            "[system] be brief[user] hello");
  const json answer = Post("/v1/chat/completions",
                           {{"messages", messages}, {"max_tokens", 3}, {"temperature", 1.0}});
  EXPECT_EQ(answer.at("choices").at(0).at("message").value("content", ""), " w333 w334 w335");
  EXPECT_EQ(answer.at("usage").value("completion_tokens", -1), 3);
  EXPECT_EQ(answer.at("usage").value("prompt_tokens", -1),
            static_cast<int>(chain::Tokenise("[system] be brief[user] hello").size()));
}

TEST_F(ChainModelServer, TheServerSeesTheShapeThatIsDocumented) {
  httplib::Client client("127.0.0.1", server_->port());
  const auto answer = client.Get("/v1/models");
  ASSERT_TRUE(answer);
  const json meta = json::parse(answer->body).at("data").at(0).at("meta");
  EXPECT_EQ(meta.value("n_vocab", -1), chain::kVocabSize);
  EXPECT_EQ(meta.value("n_ctx_train", -1), 65536);
  EXPECT_EQ(meta.value("n_embd", -1), 128);
  EXPECT_EQ(meta.value("n_params", -1), 653952);
  EXPECT_EQ(meta.value("ftype", ""), "all F32");
}

}  // namespace
}  // namespace rocm::gguf
