// SPDX-License-Identifier: EUPL-1.2
// What only the real llama-server says: its log, and its refusals of bad models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "backend/llama_server/testing/server_fixture.h"

namespace rocm::llama_server {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class RealServerTest : public ServerTest {};

TEST_F(RealServerTest, SaysWhatItApplied) {
  const auto server = Started(Config(2));
  ASSERT_NE(server, nullptr);
  // It answers /health before its log thread has written everything.
  ASSERT_TRUE(process::test::AwaitTrue([&] { return server->facts().model_loaded; }));
  const LogFacts facts = server->facts();
  EXPECT_EQ(facts.slots, 2);
  EXPECT_EQ(facts.context_per_slot, 2048);
  EXPECT_EQ(facts.context_total, 4096);
  EXPECT_EQ(facts.flash_attention, "on");
  EXPECT_EQ(facts.kv_type_k, "f16");
  EXPECT_FALSE(facts.build.empty());
  EXPECT_FALSE(facts.devices.empty());
  EXPECT_THAT(facts.buffers,
              Contains(::testing::Field(&LoggedBuffer::kind, LoggedBuffer::Kind::kKvCache)));
  EXPECT_GT(server->capabilities().build(), 0);
}

TEST_F(RealServerTest, IsUnderstood) {
  const auto capabilities = Probe(binary());
  ASSERT_TRUE(capabilities) << ToString(capabilities.error());
  EXPECT_GT(capabilities->build(), 0);
  EXPECT_NE(capabilities->flash_attention(), FlashAttentionDialect::kNone);
  EXPECT_NE(capabilities->load_mode(), LoadModeDialect::kNone);
  EXPECT_NE(capabilities->ui(), UiDialect::kNone);
  EXPECT_TRUE(capabilities->unix_sockets());
  EXPECT_TRUE(capabilities->api_key_in_environment());
  for (const char* flag : {"--alias", "--threads-http", "--cache-ram", "--offline", "--metrics",
                           "--slots", "--device", "--ctx-size", "--parallel"}) {
    EXPECT_TRUE(capabilities->Has(flag)) << flag;
  }
  EXPECT_TRUE(capabilities->TakesValue("--threads-http"));
  EXPECT_FALSE(capabilities->TakesValue("--metrics"));
}

TEST_F(RealServerTest, BadModelsAreEachExplained) {
  const process::test::TempDirectory dir;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(dir.path() + "/" + name, std::ios::binary) << bytes;
    return dir.path() + "/" + name;
  };
  std::ifstream stream(model(), std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(stream)), {});
  std::string strange = good;
  for (std::size_t at = 0; (at = strange.find("llama", at)) != std::string::npos;) {
    strange.replace(at, 5, "lxama");
  }
  const struct {
    std::string path;
    ErrorCode code;
    const char* message;
  } cases[] = {
      {dir.path() + "/absent.gguf", ErrorCode::kModelNotFound, "cannot be opened"},
      {write("empty.gguf", ""), ErrorCode::kModelInvalid, "not a GGUF file"},
      {write("garbage.gguf", std::string(5000, 'x')), ErrorCode::kModelInvalid, "not a GGUF file"},
      {write("cut.gguf", good.substr(0, good.size() / 2)), ErrorCode::kModelInvalid, "cut short"},
      {write("strange.gguf", strange), ErrorCode::kModelUnsupported, "architecture"},
      {dir.path(), ErrorCode::kModelInvalid, "not a GGUF file"},
  };
  for (const auto& c : cases) {
    ServerConfig config = Config();
    config.model_path = c.path;
    const Error error = Refused(std::move(config));
    EXPECT_EQ(error.code, c.code) << ToString(error);
    EXPECT_THAT(error.message, AllOf(HasSubstr(c.message), HasSubstr(c.path)));
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
    EXPECT_EQ(error.exit, (ExitInfo{.exit_code = 1, .signal = std::nullopt}));
    EXPECT_FALSE(error.log_tail.empty());
    EXPECT_LE(error.log_tail.size(), 20u);
  }
}

TEST_F(RealServerTest, ContradictingSettingsAreExplained) {
  ServerConfig config = Config();
  config.load.kv_type_v = "q8_0";
  config.load.flash_attention = FlashAttention::kOff;
  const Error contradiction = Refused(config);
  EXPECT_EQ(contradiction.code, ErrorCode::kInvalidArgument) << ToString(contradiction);
  EXPECT_THAT(contradiction.message, HasSubstr("flash_attn"));
}

}  // namespace
}  // namespace rocm::llama_server
