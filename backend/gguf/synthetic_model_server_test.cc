// SPDX-License-Identifier: EUPL-1.2
// Synthetic models on a real llama-server: every family loads, tokenises and decodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "backend/gguf/metadata.h"
#include "backend/gguf/real_server_for_tests.h"
#include "backend/gguf/synthetic_model.h"
#include "backend/gguf/temporary_folder_for_tests.h"

namespace rocm::gguf {

static void PrintTo(const ModelShape& shape, std::ostream* out) { *out << shape.name; }

namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;

json Post(const RealServer& server, const std::string& path, const json& body) {
  httplib::Client client("127.0.0.1", server.port());
  client.set_read_timeout(120);
  const auto answer = client.Post(path, body.dump(), "application/json");
  if (!answer) return json::object();
  EXPECT_EQ(answer->status, 200) << answer->body;
  return json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
}

std::vector<std::int32_t> Generate(const RealServer& server, std::string_view prompt, int count) {
  return Post(server, "/completion",
              {{"prompt", prompt},
               {"n_predict", count},
               {"temperature", 0.0},
               {"ignore_eos", true},
               {"return_tokens", true}})
      .value("tokens", std::vector<std::int32_t>{});
}

// The whole vocabulary and the real kinds of tensors, but few and narrow layers.
ModelShape Narrow(const ModelShape& real) {
  ModelShape shape = real;
  shape.layers = 2;
  shape.width = 256;
  shape.feed_forward = 512;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.head_width = 64;
  return shape;
}

class SyntheticModelServer : public ::testing::TestWithParam<ModelShape> {};

TEST_P(SyntheticModelServer, LoadsTokenisesAndDecodes) {
  const auto executable = RealServer::Find();
  if (!executable) GTEST_SKIP() << "ROCM_TEST_LLAMA_SERVER names no llama-server";
  const TemporaryFolder folder;
  const std::string model = folder / "model.gguf";
  ASSERT_TRUE(WriteSyntheticModel(model, Narrow(GetParam()), WeightType::kQ4_0));
  RealServer server(*executable, {"-m", model, "-c", "512", "-np", "1", "-t", "1", "--no-warmup"});
  ASSERT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();

  const std::vector<std::int32_t> tokens = Generate(server, "some abcd text", 16);
  ASSERT_EQ(tokens.size(), 16U);
  for (const std::int32_t token : tokens) {
    EXPECT_TRUE(token >= 0 && token < static_cast<int>(GetParam().vocabulary));
  }
  // Weights without a common part answer to what they are asked.
  EXPECT_NE(Generate(server, "another prompt", 16), tokens);

  const std::string text = "abcd efgh, 42 words: é€😀\n";
  const json cut = Post(server, "/tokenize", {{"content", text}});
  const auto ids = cut.value("tokens", std::vector<std::int32_t>{});
  EXPECT_LT(ids.size(), text.size()) << "words are joined";
  // The Llama 2 family puts a space before the text, and gives it back.
  EXPECT_THAT(Post(server, "/detokenize", {{"tokens", ids}}).value("content", ""), EndsWith(text));

  const json prompt = Post(server, "/apply-template",
                           {{"messages", json::array({{{"role", "user"}, {"content", "Hi!"}}})}});
  EXPECT_THAT(prompt.value("prompt", ""), HasSubstr("Hi!"));
}

// One of each tokeniser and architecture.
std::vector<ModelShape> Families() {
  std::vector<ModelShape> shapes;
  for (const char* name :
       {"gemma3-1b", "llama-2-7b", "llama-3.1-8b", "mistral-7b", "qwen2.5-7b", "qwen3-8b"}) {
    shapes.push_back(*FindModelShape(name));
  }
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(Gguf, SyntheticModelServer, ::testing::ValuesIn(Families()),
                         [](const auto& one) {
                           std::string name(one.param.name);
                           std::erase_if(name, [](char c) { return c == '-' || c == '.'; });
                           return name;
                         });

TEST(SyntheticModelServerTest, EveryWeightTypeDecodes) {
  const auto executable = RealServer::Find();
  if (!executable) GTEST_SKIP() << "ROCM_TEST_LLAMA_SERVER names no llama-server";
  for (const WeightType type : {WeightType::kQ8_0, WeightType::kF16}) {
    const TemporaryFolder folder;
    const std::string model = folder / "model.gguf";
    ModelShape shape = Narrow(*FindModelShape("qwen3-8b"));
    shape.vocabulary = 3072;
    ASSERT_TRUE(WriteSyntheticModel(model, shape, type));
    RealServer server(*executable, {"-m", model, "-c", "512", "-np", "1", "-t", "1"});
    ASSERT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();
    EXPECT_EQ(Generate(server, "abcd", 8).size(), 8U);
  }
}

TEST(SyntheticModelServerTest, Gemma3OfOneBillionLoadsAndDecodes) {
  const auto executable = RealServer::Find();
  if (!executable) GTEST_SKIP() << "ROCM_TEST_LLAMA_SERVER names no llama-server";
  const TemporaryFolder folder;
  const std::string model = folder / "gemma3-1b.gguf";
  ASSERT_TRUE(WriteSyntheticModel(model, *FindModelShape("gemma3-1b"), WeightType::kQ4_0));
  RealServer server(*executable, {"-m", model, "-c", "512", "-np", "1", "-t", "2", "--no-warmup"});
  ASSERT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();
  const std::vector<std::int32_t> tokens = Generate(server, "Explain relativity.", 16);
  ASSERT_EQ(tokens.size(), 16U);
  EXPECT_GT(std::set<std::int32_t>(tokens.begin(), tokens.end()).size(), 2U) << "no short cycle";
}

// What llama-quantize makes of the F16 file is what we write directly, tensor by tensor.
TEST(SyntheticModelServerTest, LaidOutAsLlamaQuantizeWould) {
  const auto executable = RealServer::Find();
  const std::string quantize =
      executable ? std::filesystem::path(*executable).replace_filename("llama-quantize").string()
                 : std::string();
  if (!std::filesystem::exists(quantize)) GTEST_SKIP() << "no llama-quantize beside llama-server";
  for (const std::string_view name : {"gemma3-1b", "llama-3.1-8b", "qwen2.5-7b"}) {
    const TemporaryFolder folder;
    ModelShape shape = Narrow(*FindModelShape(name));
    shape.vocabulary = 3072;
    if (name == "gemma3-1b") shape.width = 128;  // as in the real one, no whole blocks of 256
    ASSERT_TRUE(WriteSyntheticModel(folder / "f16.gguf", shape, WeightType::kF16));
    ASSERT_TRUE(WriteSyntheticModel(folder / "ours.gguf", shape, WeightType::kQ4_0));
    const std::string command = quantize + " " + (folder / "f16.gguf") + " " +
                                (folder / "theirs.gguf") + " Q4_0 1 >" + (folder / "log") + " 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const auto ours = ReadMetadata(folder / "ours.gguf");
    const auto theirs = ReadMetadata(folder / "theirs.gguf");
    ASSERT_TRUE(ours && theirs);
    EXPECT_EQ(ours->quantisation, theirs->quantisation);
    EXPECT_EQ(ours->tensor_bytes, theirs->tensor_bytes);
    ASSERT_EQ(ours->tensors.size(), theirs->tensors.size());
    for (const TensorInfo& tensor : theirs->tensors) {
      const auto same = std::find_if(ours->tensors.begin(), ours->tensors.end(),
                                     [&](const auto& other) { return other.name == tensor.name; });
      ASSERT_NE(same, ours->tensors.end()) << tensor.name;
      EXPECT_EQ(same->type, tensor.type) << name << " " << tensor.name;
      EXPECT_EQ(same->shape, tensor.shape) << name << " " << tensor.name;
    }
  }
}

}  // namespace
}  // namespace rocm::gguf
