// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/llama_server/testing/fake_server.h"

namespace rocm::llama_server {
namespace {

TEST(CapabilitiesTest, ReadsTheOldDialect) {
  const Capabilities old("version: 4000 (a5e47592)", testing::kOldHelp);
  EXPECT_EQ(old.build(), 4000);
  EXPECT_EQ(old.commit(), "a5e47592");
  EXPECT_EQ(old.flash_attention(), FlashAttentionDialect::kBare);
  EXPECT_EQ(old.load_mode(), LoadModeDialect::kMmapFlags);
  EXPECT_EQ(old.ui(), UiDialect::kNone);
  EXPECT_FALSE(old.unix_sockets());
  EXPECT_TRUE(old.api_key_in_environment());
  EXPECT_FALSE(old.all_layers_by_name());
  EXPECT_FALSE(old.trace_verbosity());
  EXPECT_TRUE(old.Has("--slots"));
  EXPECT_FALSE(old.Has("--offline"));
}

TEST(CapabilitiesTest, ReadsTheMiddleDialect) {
  const Capabilities middle("version: 6700 (0a319bb7)", testing::kMiddleHelp);
  EXPECT_EQ(middle.build(), 6700);
  EXPECT_EQ(middle.flash_attention(), FlashAttentionDialect::kValued);
  EXPECT_EQ(middle.load_mode(), LoadModeDialect::kMmapFlags);
  EXPECT_EQ(middle.ui(), UiDialect::kNoWebui);
  EXPECT_TRUE(middle.unix_sockets());
  EXPECT_FALSE(middle.api_key_in_environment());
  EXPECT_TRUE(middle.Has("--no-slots"));
  EXPECT_FALSE(middle.Has("--draft-max")) << "it says that it has been removed";
}

TEST(CapabilitiesTest, ReadsTheCurrentDialect) {
  const Capabilities current("version: 0.7.0 (build 11669, commit Debian)", testing::kCurrentHelp);
  EXPECT_EQ(current.build(), 11669);
  EXPECT_EQ(current.commit(), "Debian");
  EXPECT_EQ(current.flash_attention(), FlashAttentionDialect::kValued);
  EXPECT_EQ(current.load_mode(), LoadModeDialect::kLoadMode);
  EXPECT_EQ(current.ui(), UiDialect::kNoUi);
  EXPECT_TRUE(current.unix_sockets());
  EXPECT_TRUE(current.api_key_in_environment());
  EXPECT_TRUE(current.all_layers_by_name());
  EXPECT_TRUE(current.trace_verbosity());
  EXPECT_FALSE(current.Has("--no-mmap"));
}

TEST(CapabilitiesTest, KnowsWhatTakesAValue) {
  const Capabilities c("", testing::kCurrentHelp);
  for (const char* flag : {"-c", "--ctx-size", "-fa", "-dev", "-fit", "--host", "--n-gpu-layers"}) {
    EXPECT_TRUE(c.TakesValue(flag)) << flag;
  }
  for (const char* flag : {"-h", "--metrics", "--slots", "--no-ui", "--offline", "--absent"}) {
    EXPECT_FALSE(c.TakesValue(flag)) << flag;
  }
  EXPECT_EQ(c.FirstKnown({"--absent", "--no-ui", "--metrics"}), "--no-ui");
  EXPECT_EQ(c.FirstKnown({"--absent"}), "");
}

TEST(CapabilitiesTest, ReadsOtherWritersOfHelp) {
  const Capabilities c("mock",
                       "Usage: x [OPTIONS]\n  -m,--model TEXT    the model\n  --port INT\n"
                       "  -q,--quiet         say nothing\n-\n--\n- item\n--x,\n");
  EXPECT_TRUE(c.TakesValue("--model"));
  EXPECT_TRUE(c.TakesValue("--port"));
  EXPECT_TRUE(c.Has("-q"));
  EXPECT_FALSE(c.TakesValue("--quiet"));
  EXPECT_TRUE(c.Has("--x"));
  EXPECT_EQ(c.build(), -1);
}

TEST(CapabilitiesTest, AnEmptyTextKnowsNothing) {
  const Capabilities none("", "");
  EXPECT_EQ(none.build(), -1);
  EXPECT_FALSE(none.Has("--model"));
  EXPECT_EQ(none.flash_attention(), FlashAttentionDialect::kNone);
  EXPECT_EQ(none, Capabilities());
}

}  // namespace
}  // namespace rocm::llama_server
