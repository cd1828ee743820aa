// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/llama_server/extra_arguments.h"
#include "backend/llama_server/testing/fake_server.h"

namespace rocm::llama_server {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Arguments = std::vector<std::string>;

const Capabilities& Old() {
  static const Capabilities capabilities("", testing::kOldHelp);
  return capabilities;
}
const Capabilities& Middle() {
  static const Capabilities capabilities("", testing::kMiddleHelp);
  return capabilities;
}
const Capabilities& Current() {
  static const Capabilities capabilities("", testing::kCurrentHelp);
  return capabilities;
}

Result<Arguments> Build(const Capabilities& capabilities, const LoadConfig& load = {},
                        int context = 2048, int slots = 4) {
  return BuildCommandLine({.capabilities = capabilities,
                           .load = load,
                           .model_path = "/m.gguf",
                           .context_per_slot = context,
                           .slots = slots,
                           .alias = "name"});
}

// `flag` followed by `value`.
MATCHER_P2(Passes, flag, value, "") {
  for (std::size_t i = 0; i + 1 < arg.size(); ++i) {
    if (arg[i] == flag) return arg[i + 1] == value;
  }
  return false;
}

TEST(CommandLineTest, SpeaksTheCurrentDialect) {
  LoadConfig load;
  load.flash_attention = FlashAttention::kOff;
  load.kv_type_k = "q8_0";
  load.threads = 3;
  EXPECT_THAT(
      *Build(Current(), load),
      ElementsAre("--model", "/m.gguf", "--alias", "name", "--host", "127.0.0.1", "--port", "0",
                  "--ctx-size", "8192", "--parallel", "4", "--n-gpu-layers", "all", "--flash-attn",
                  "off", "--cache-type-k", "q8_0", "--threads", "3", "--threads-http", "16",
                  "--sse-ping-interval", "1", "--cache-ram", "256", "--fit", "off",
                  "--log-verbosity", "4", "--no-ui", "--offline", "--metrics", "--slots"));
}

TEST(CommandLineTest, SpeaksTheMiddleDialect) {
  LoadConfig load;
  load.flash_attention = FlashAttention::kAuto;
  EXPECT_THAT(*Build(Middle(), load, 0, 1),
              ElementsAre("--model", "/m.gguf", "--alias", "name", "--host", "127.0.0.1", "--port",
                          "0", "--parallel", "1", "--n-gpu-layers", "999", "--flash-attn", "auto",
                          "--threads-http", "10", "--cache-ram", "256", "--no-webui", "--offline",
                          "--metrics", "--slots"));
}

TEST(CommandLineTest, SpeaksTheOldDialect) {
  LoadConfig load;
  load.flash_attention = FlashAttention::kOn;
  load.gpu_layers = 7;
  EXPECT_THAT(*Build(Old(), load, 512, 1),
              ElementsAre("--model", "/m.gguf", "--alias", "name", "--host", "127.0.0.1", "--port",
                          "0", "--ctx-size", "512", "--parallel", "1", "--n-gpu-layers", "7",
                          "--flash-attn", "--threads-http", "10", "--metrics", "--slots"));
  load.flash_attention = FlashAttention::kOff;
  EXPECT_THAT(*Build(Old(), load), Not(Contains("--flash-attn")));
}

TEST(CommandLineTest, ListensWhereItIsTold) {
  const LoadConfig load;
  const auto line = BuildCommandLine({.capabilities = Middle(),
                                      .load = load,
                                      .model_path = "-odd",
                                      .device_argument = "Vulkan0",
                                      .socket_path = "/run/x.sock",
                                      .api_key_file = "/run/key"});
  ASSERT_TRUE(line);
  EXPECT_THAT(*line, AllOf(Passes("--host", "/run/x.sock"), Not(Contains("--port")),
                           Passes("--api-key-file", "/run/key"), Passes("--model", "./-odd"),
                           Passes("--device", "Vulkan0"), Not(Contains("--alias"))));
}

TEST(CommandLineTest, SizesTheThreadsByTheStreams) {
  LoadConfig load;
  load.expected_streams = 512;
  EXPECT_THAT(*Build(Current(), load), Passes("--threads-http", "520"));
  load.expected_streams = 0;
  EXPECT_THAT(*Build(Current(), load, 0, 16), Passes("--threads-http", "40"));
}

TEST(CommandLineTest, RefusesWhatItCannotSay) {
  const auto refusal = [](const Capabilities& capabilities, const LoadConfig& load, int context,
                          int slots) {
    const auto line = Build(capabilities, load, context, slots);
    if (line) return std::string("accepted");
    EXPECT_EQ(line.error().code, ErrorCode::kInvalidArgument);
    return line.error().message;
  };
  LoadConfig load;
  EXPECT_THAT(refusal(Current(), load, -1, 1), HasSubstr("context"));
  EXPECT_THAT(refusal(Current(), load, 1 << 30, 4), HasSubstr("too large"));
  EXPECT_THAT(refusal(Current(), load, 1, 0), HasSubstr("slots"));
  load.gpu_layers = -2;
  EXPECT_THAT(refusal(Current(), load, 1, 1), HasSubstr("gpu_layers"));
  load = {};
  load.kv_type_v = "q8_0 --host";
  EXPECT_THAT(refusal(Current(), load, 1, 1), HasSubstr("KV cache type"));
  load = {};
  load.threads = -1;
  EXPECT_THAT(refusal(Current(), load, 1, 1), HasSubstr("negative"));
  load = {};
  load.flash_attention = FlashAttention::kOn;
  EXPECT_THAT(refusal(Capabilities(), load, 1, 1), HasSubstr("flash attention"));
  const LoadConfig plain;
  EXPECT_TRUE(BuildCommandLine(
      {.capabilities = Old(), .load = plain, .model_path = "m", .device_argument = "ROCm0"}))
      << "the environment pins it too";
  const auto device = BuildCommandLine(
      {.capabilities = Old(), .load = plain, .model_path = "m", .device_argument = "none"});
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().message, HasSubstr("--device"));
  EXPECT_FALSE(BuildCommandLine({.capabilities = Old(), .load = plain, .model_path = ""}));
}

TEST(CommandLineTest, TheCallersArgumentsComeLastAndReplaceHouseRules) {
  LoadConfig load;
  load.extra_args = {
      "--cache-ram",         "0", "--fit", "on", "-v", "--threads-http", "9", "--seed", "-1",
      "--sse-ping-interval", "5"};
  const auto line = Build(Current(), load);
  ASSERT_TRUE(line);
  EXPECT_EQ(std::count(line->begin(), line->end(), "--cache-ram"), 1);
  EXPECT_EQ(std::count(line->begin(), line->end(), "--fit"), 1);
  EXPECT_EQ(std::count(line->begin(), line->end(), "--threads-http"), 1);
  EXPECT_EQ(std::count(line->begin(), line->end(), "--sse-ping-interval"), 1);
  EXPECT_THAT(*line, Not(Contains("--log-verbosity")));
  EXPECT_EQ(Arguments(line->end() - 11, line->end()), load.extra_args);
}

TEST(ExtraArgumentsTest, RefusesWhatTheLibraryDecides) {
  for (const char* flag :
       {"--host",    "--port",  "--api-key",  "-m",          "--model",
        "-a",        "-c",      "--ctx-size", "--ctx_size",  "-np",
        "-ngl",      "-fa",     "-ctk",       "-t",          "-dev",
        "--ui",      "--tools", "--agent",    "--log-file",  "-lv",
        "-hf",       "-mu",     "--help",     "--embedding", "--fim-qwen-3b-default",
        "--model=x", "--slots", "--offline"}) {
    const auto checked = ExtraArguments::Check({"--seed", "1", flag, "x"}, Current());
    ASSERT_FALSE(checked) << flag;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(checked.error().message, HasSubstr(std::string("extra argument ") + flag));
  }
  EXPECT_FALSE(ExtraArguments::Check({std::string("a\0b", 3)}, Current()));
}

TEST(ExtraArgumentsTest, LetsTheRestThrough) {
  const Arguments good{"--seed",        "-1",      "--temp", "-.5", "--jinja", "--lora", "x.gguf",
                       "--override-kv", "a=int:1", "-b",     "512", "-ub",     "-",      "plain"};
  EXPECT_EQ(ExtraArguments::Check(good, Current())->arguments(), good);
}

TEST(ExtraArgumentsTest, TranslatesMemoryMapping) {
  const auto translate = [](Arguments from, const Capabilities& to) {
    return ExtraArguments::Check(from, to)->arguments();
  };
  EXPECT_THAT(translate({"--no-mmap", "--seed", "1"}, Current()),
              ElementsAre("--load-mode", "none", "--seed", "1"));
  EXPECT_THAT(translate({"--mlock"}, Current()), ElementsAre("--load-mode", "mmap+mlock"));
  EXPECT_THAT(translate({"--no-mmap"}, Old()), ElementsAre("--no-mmap"));
  EXPECT_THAT(translate({"--load-mode", "none"}, Old()), ElementsAre("--no-mmap"));
  EXPECT_THAT(translate({"-lm", "mmap+mlock"}, Middle()), ElementsAre("--mlock"));
  EXPECT_THAT(translate({"--load-mode", "mlock"}, Old()), ElementsAre("--no-mmap", "--mlock"));
  EXPECT_THAT(translate({"--load-mode", "auto"}, Old()), ElementsAre());
  EXPECT_THAT(translate({"--load-mode", "dio"}, Current()), ElementsAre("--load-mode", "dio"));
  EXPECT_THAT(ExtraArguments::Check({"--load-mode", "dio"}, Old()).error().message,
              HasSubstr("--load-mode dio"));
}

TEST(CheckEnvironmentTest, RefusesTheServersOwnVariables) {
  EXPECT_TRUE(CheckEnvironment({{"HSA_OVERRIDE_GFX_VERSION", "11.0.0"}, {"FOO", "1"}}));
  for (const char* name : {"LLAMA_ARG_HOST", "LLAMA_ARG_", "LLAMA_API_KEY"}) {
    const auto checked = CheckEnvironment({{name, "x"}});
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(checked.error().message, HasSubstr(name));
  }
}

}  // namespace
}  // namespace rocm::llama_server
