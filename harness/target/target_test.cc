// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/target/managed_target.h"
#include "harness/target/server_counters.h"

namespace harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseTarget, KnowsItsFourForms) {
  EXPECT_EQ(ParseTarget("mock")->kind, TargetKind::kMock);
  EXPECT_EQ(ParseTarget("llama-server")->kind, TargetKind::kLlamaServer);
  EXPECT_EQ(ParseTarget("http://127.0.0.1:9")->kind, TargetKind::kAttached);
  EXPECT_EQ(ParseTarget("unix:/tmp/x.sock")->url, "unix:/tmp/x.sock");
}

TEST(ParseTarget, RefusesOthersWithTheChoice) {
  EXPECT_THAT(ParseTarget("vllm").error().message, HasSubstr("give mock, llama-server, http://"));
  EXPECT_FALSE(ParseTarget("https://x"));
  EXPECT_FALSE(ParseTarget(""));
}

TEST(MakeLoadConfig, CarriesEverySetting) {
  TargetOptions options;
  options.server_binary = "/bin/s";
  options.server_args = {"--late"};
  ServerSettings settings;
  settings.slots = 4;
  settings.context_per_slot = 2048;
  settings.flash_attention = rocm::FlashAttention::kOff;
  settings.kv_type_k = "q8_0";
  settings.gpu_layers = 7;
  settings.threads = 3;
  settings.batch_size = 256;
  settings.ubatch_size = 128;
  settings.args = {"--early"};
  settings.environment = {{"GGML_X", "1"}};
  const rocm::LoadConfig config = MakeLoadConfig(options, settings, 64);
  EXPECT_EQ(config.parallel_slots, 4);
  EXPECT_EQ(config.context_len, 2048);
  EXPECT_EQ(config.flash_attention, rocm::FlashAttention::kOff);
  EXPECT_EQ(config.kv_type_k, "q8_0");
  EXPECT_EQ(config.gpu_layers, 7);
  EXPECT_EQ(config.threads, 3);
  EXPECT_EQ(config.expected_streams, 64);
  EXPECT_EQ(config.environment.at("GGML_X"), "1");
  EXPECT_THAT(config.extra_args,
              ElementsAre("--batch-size", "256", "--ubatch-size", "128", "--early", "--late"));
}

TEST(MakeLoadConfig, LeavesTheRestToTheBackend) {
  const rocm::LoadConfig config = MakeLoadConfig({}, {}, 1);
  EXPECT_EQ(config.parallel_slots, 0);
  EXPECT_EQ(config.context_len, 0);
  EXPECT_EQ(config.gpu_layers, -1);
  EXPECT_EQ(config.flash_attention, rocm::FlashAttention::kServerDefault);
  EXPECT_TRUE(config.extra_args.empty());
}

TEST(ServerCounters, AreTakenFromWholeNames) {
  const auto counters = ParseServerCounters(
      "# HELP llamacpp:prompt_tokens_total Number\n"
      "llamacpp:prompt_tokens_total 12\n"
      "llamacpp:prompt_tokens_total_more 99\n"
      "llamacpp:prompt_seconds_total 0.25\n"
      "llamacpp:tokens_predicted_total 1.5e3\n"
      "llamacpp:tokens_predicted_seconds_total 2");
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->prompt_tokens, 12);
  EXPECT_EQ(counters->prompt_seconds, 0.25);
  EXPECT_EQ(counters->predicted_tokens, 1500);
  EXPECT_EQ(counters->predicted_seconds, 2);
}

TEST(ServerCounters, OfAnotherServerAreNone) {
  EXPECT_EQ(ParseServerCounters("vllm:prompt_tokens_total 3\n"), std::nullopt);
  EXPECT_EQ(ParseServerCounters(""), std::nullopt);
}

}  // namespace
}  // namespace harness
