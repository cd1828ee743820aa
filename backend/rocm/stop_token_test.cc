// SPDX-License-Identifier: EUPL-1.2
#include <gtest/gtest.h>

#include "backend/rocm/token_stream_source.h"

namespace rocm {
namespace {

TEST(StopTokenTest, TakesItsOwnTextAwayAndNoOther) {
  EXPECT_EQ(WithoutStopToken(" e1 e2", std::string(" e2"), {}), " e1");
  EXPECT_EQ(WithoutStopToken(" e2", std::string(" e2"), {}), "");
  // A token that ends the generation has a name, and no text.
  EXPECT_EQ(WithoutStopToken(" e2", std::string("</s>"), {}), " e2");
  EXPECT_EQ(WithoutStopToken(" e2", std::string(), {}), " e2");
}

TEST(StopTokenTest, KnowsItsOwnTextWhereAStopStringCutIt) {
  const std::string piece = " w335";
  EXPECT_EQ(WithoutStopToken(" w334 w3", piece, {"5x", "35"}), " w334");
  EXPECT_EQ(WithoutStopToken(" w334", piece, {" w3"}), " w334");
  EXPECT_EQ(WithoutStopToken(" w3", piece, {"34 w335"}), " w3");
}

TEST(StopTokenTest, TextThatMayHoldTheTokenIsNotDelivered) {
  // Half a character.
  EXPECT_EQ(WithoutStopToken("\xC3\xA9", std::string("\xEF\xBF\xBD"), {}), "");
  // The server did not say what the token is.
  EXPECT_EQ(WithoutStopToken(" e1 e2", Fail(ErrorCode::kConnectionReset, "gone"), {}), "");
}

}  // namespace
}  // namespace rocm
