// SPDX-License-Identifier: EUPL-1.2
// Linked with the stub instead of the real room, so that the stub compiles and says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/backend.h"

namespace rocm {
namespace {

using ::testing::HasSubstr;

TEST(UnsupportedPlatformTest, EveryBackendIsThereAndSaysWhyItIsUnavailable) {
  ASSERT_EQ(ListBackends().size(), 5u);
  for (const std::string& name : ListBackends()) {
    const Availability availability = GetBackend(name)->Available();
    EXPECT_FALSE(availability.available);
    ASSERT_EQ(availability.reasons.size(), 1u);
    EXPECT_THAT(availability.reasons.front(), HasSubstr("Linux"));
    const auto model = GetBackend(name)->LoadModel("model.gguf", {});
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, ErrorCode::kBackendUnavailable);
  }
}

}  // namespace
}  // namespace rocm
