// SPDX-License-Identifier: EUPL-1.2
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/backend.h"

namespace rocm {
namespace {

using ::testing::IsSupersetOf;

class FakeBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view Name() const override { return "fake"; }
  [[nodiscard]] Availability Available() const override { return {false, {"it is a fake"}}; }
  [[nodiscard]] Result<std::unique_ptr<TextModel>> LoadModel(const std::string&,
                                                             const LoadConfig&) override {
    return Fail(ErrorCode::kBackendUnavailable, "it is a fake");
  }
};

TEST(RegistryTest, TheFiveAreThereAndRocmIsTheDefault) {
  EXPECT_THAT(ListBackends(), IsSupersetOf({"rocm", "cuda", "vulkan", "sycl", "cpu"}));
  ASSERT_NE(DefaultBackend(), nullptr);
  EXPECT_EQ(DefaultBackend()->Name(), "rocm");
  EXPECT_EQ(GetBackend("cuda")->Name(), "cuda");
  EXPECT_EQ(GetBackend("abacus"), nullptr);
}

TEST(RegistryTest, OthersMayRegister) {
  RegisterBackend(nullptr);
  RegisterBackend(std::make_shared<FakeBackend>());
  ASSERT_NE(GetBackend("fake"), nullptr);
  EXPECT_THAT(ListBackends(), IsSupersetOf({"fake"}));
}

}  // namespace
}  // namespace rocm
