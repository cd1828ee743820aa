// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rocm::process {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(EnvironmentTest, PassesOnWhatIsKnownAndNothingElse) {
  const auto made = BuildEnvironment(
      {.inherited = {"PATH=/bin", "LC_ALL=C", "LLAMA_ARG_HOST=0.0.0.0", "LLAMA_API_KEY=k",
                     "http_proxy=p", "HTTPS_PROXY=p", "ALL_PROXY=p", "HF_TOKEN=t", "FOO=1",
                     "LD_PRELOAD=x.so", "ROCM_LLAMA_SERVER_PATH=/x"}});
  ASSERT_TRUE(made);
  EXPECT_THAT(made->entries, ElementsAre("GGML_NO_BACKTRACE=1", "LC_ALL=C", "PATH=/bin"));
  EXPECT_THAT(made->dropped, UnorderedElementsAre("LLAMA_ARG_HOST", "LLAMA_API_KEY", "http_proxy",
                                                  "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "FOO",
                                                  "LD_PRELOAD", "ROCM_LLAMA_SERVER_PATH"));
}

TEST(EnvironmentTest, PassesOnAndRecordsTheComputeStack) {
  const auto made =
      BuildEnvironment({.inherited = {"HSA_OVERRIDE_GFX_VERSION=11.0.0", "ROCBLAS_LAYER=1",
                                      "GGML_CUDA_FOO=1", "HOME=/root"}});
  ASSERT_TRUE(made);
  EXPECT_THAT(made->entries, Contains("HSA_OVERRIDE_GFX_VERSION=11.0.0"));
  EXPECT_THAT(
      made->recorded,
      UnorderedElementsAre(Pair("HSA_OVERRIDE_GFX_VERSION", "11.0.0"), Pair("ROCBLAS_LAYER", "1"),
                           Pair("GGML_CUDA_FOO", "1"), Pair("GGML_NO_BACKTRACE", "1")));
}

TEST(EnvironmentTest, OfDoubledNamesTheFirstCounts) {
  const auto made = BuildEnvironment(
      {.inherited = {"HIP_VISIBLE_DEVICES=0", "HIP_VISIBLE_DEVICES=1", "=odd", "nothing", "TZ="}});
  ASSERT_TRUE(made);
  EXPECT_THAT(made->entries, ElementsAre("GGML_NO_BACKTRACE=1", "HIP_VISIBLE_DEVICES=0", "TZ="));
}

TEST(EnvironmentTest, LaterStepsWin) {
  const auto made = BuildEnvironment({.inherited = {"HIP_VISIBLE_DEVICES=0", "CUDA_X=1", "TZ=A"},
                                      .remove = {"HIP_VISIBLE_DEVICES", "ABSENT"},
                                      .pin = {{"ROCR_VISIBLE_DEVICES", "GPU-1"}, {"CUDA_X", "2"}},
                                      .set = {{"CUDA_X", "3"}, {"GGML_NO_BACKTRACE", "0"}}});
  ASSERT_TRUE(made);
  EXPECT_THAT(made->entries,
              ElementsAre("CUDA_X=3", "GGML_NO_BACKTRACE=0", "ROCR_VISIBLE_DEVICES=GPU-1", "TZ=A"));
  EXPECT_THAT(made->dropped, ElementsAre("HIP_VISIBLE_DEVICES"));
}

TEST(EnvironmentTest, RefusesImpossibleNames) {
  for (const std::string& name : {std::string(""), std::string("A=B"), std::string("A\0B", 3)}) {
    const auto made = BuildEnvironment({.set = {{name, "x"}}});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(BuildEnvironment({.pin = {{"A", std::string("x\0y", 3)}}}));
}

TEST(EnvironmentTest, SeesOurOwn) {
  ::setenv("ROCM_ENVIRONMENT_TEST", "a=b", 1);
  EXPECT_THAT(CurrentEnvironment(), Contains("ROCM_ENVIRONMENT_TEST=a=b"));
  ::unsetenv("ROCM_ENVIRONMENT_TEST");
  EXPECT_THAT(CurrentEnvironment(), Not(Contains("ROCM_ENVIRONMENT_TEST=a=b")));
}

}  // namespace
}  // namespace rocm::process
