// SPDX-License-Identifier: EUPL-1.2
// A device without a card: layers offloaded to software Vulkan, with flash attention on and off.
// The device is the one asked for, all layers are on it, and the answers are exact.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>

#include "backend/gguf/chain_model.h"
#include "backend/gguf/estimate.h"
#include "backend/gguf/real_server_for_tests.h"
#include "backend/gguf/temporary_folder_for_tests.h"

namespace rocm::gguf {
namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class VulkanDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    executable_ = RealServer::FindVulkan();
    if (!executable_) GTEST_SKIP() << "no llama-server-vulkan beside ROCM_TEST_LLAMA_SERVER";
    ASSERT_TRUE(WriteChainModel(folder_ / "chain.gguf"));
  }

  [[nodiscard]] std::vector<std::string> Arguments(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {
        "-m", folder_ / "chain.gguf", "-c", "2048", "-np", "1", "-t", "1", "-lv", "4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  static std::vector<std::int32_t> Generate(const RealServer& server, const std::string& prompt,
                                            double temperature) {
    httplib::Client client("127.0.0.1", server.port());
    client.set_read_timeout(120);
    const json body = {{"prompt", prompt},
                       {"n_predict", 32},
                       {"top_k", 0},
                       {"temperature", temperature},
                       {"return_tokens", true}};
    const auto answer = client.Post("/completion", body.dump(), "application/json");
    if (!answer) return {};
    return json::parse(answer->body).value("tokens", std::vector<std::int32_t>{});
  }

  TemporaryFolder folder_;
  std::optional<std::string> executable_;
};

class VulkanServer : public VulkanDevice, public ::testing::WithParamInterface<std::string> {};

TEST_P(VulkanServer, OffloadsAllLayersAndAnswersExactly) {
  RealServer server(*executable_, Arguments({"-ngl", "99", "-fa", GetParam()}),
                    {"GGML_VK_VISIBLE_DEVICES=0"});
  ASSERT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();
  for (const double temperature : {0.0, 1.0}) {
    EXPECT_EQ(Generate(server, "hello", temperature),
              chain::Continuation(chain::ByteToken('o'), 32));
  }
  EXPECT_THAT(server.Log(), HasSubstr("using device Vulkan0 (llvmpipe"));
  EXPECT_THAT(server.Log(), HasSubstr("offloaded 3/3 layers to GPU"));
  EXPECT_THAT(server.Log(), ContainsRegex("Vulkan0 model buffer size = +[0-9.]+ MiB"));
  EXPECT_THAT(server.Log(), ContainsRegex("Vulkan0 KV buffer size = +[0-9.]+ MiB"));
}

INSTANTIATE_TEST_SUITE_P(FlashAttention, VulkanServer, ::testing::Values("on", "off", "auto"),
                         [](const auto& one) { return one.param; });

TEST_F(VulkanDevice, WithoutLayersOnItTheDeviceStaysEmpty) {
  RealServer server(*executable_, Arguments({"-ngl", "0", "--device", "none"}));
  ASSERT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();
  EXPECT_EQ(Generate(server, "hello", 1.0), chain::Continuation(chain::ByteToken('o'), 32));
  EXPECT_THAT(server.Log(), Not(HasSubstr("using device Vulkan0")));
  EXPECT_THAT(server.Log(), Not(HasSubstr("Vulkan0 model buffer")));
}

TEST_F(VulkanDevice, ADeviceThatIsNotThereEndsTheServer) {
  RealServer server(*executable_, Arguments({"-ngl", "99", "--device", "Vulkan7"}));
  EXPECT_FALSE(server.Ready(std::chrono::seconds(240)));
  EXPECT_THAT(server.Log(), HasSubstr("Vulkan7"));
}

TEST_F(VulkanDevice, PartOfTheLayersAsEstimated) {
  RealServer server(*executable_, Arguments({"-ngl", "2", "-fa", "on", "-fit", "off"}));
  ASSERT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();
  const auto estimate = EstimateMemory(ReadMetadata(folder_ / "chain.gguf").value(),
                                       {.context_per_slot = 2048, .gpu_layers = 2});
  ASSERT_TRUE(estimate);
  EXPECT_THAT(server.Log(), HasSubstr("offloaded " + std::to_string(estimate->layers_on_device) +
                                      "/" + std::to_string(estimate->layers_total) + " layers"));
  EXPECT_EQ(Generate(server, "hello", 0.0), chain::Continuation(chain::ByteToken('o'), 32));
}

}  // namespace
}  // namespace rocm::gguf
