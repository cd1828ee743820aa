// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rocm::gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

Device Card() {
  Device device;
  device.uuid = "GPU-5b0f3a91c27d4e68";
  device.ordinal = 1;
  return device;
}

TEST(MaskTest, RocmSetsOneByUuidAndClearsItsRivals) {
  const Device card = Card();
  const Mask mask = MaskFor(Runtime::kRocm, &card, "", {}).value();
  EXPECT_THAT(mask.set, ElementsAre(Pair("ROCR_VISIBLE_DEVICES", "GPU-5b0f3a91c27d4e68")));
  EXPECT_THAT(mask.cleared,
              ElementsAre("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"));
  EXPECT_EQ(mask.expected_device, "ROCm0") << "behind the mask it is the only one";
  EXPECT_EQ(mask.respected, "");
}

TEST(MaskTest, RocmFallsBackToTheOrdinal) {
  Device graphics = Card();
  graphics.uuid = "";
  const Mask mask = MaskFor(Runtime::kRocm, &graphics, "", {}).value();
  EXPECT_THAT(mask.set, ElementsAre(Pair("ROCR_VISIBLE_DEVICES", "1")));
}

TEST(MaskTest, TheUsersOwnMaskStays) {
  const Device card = Card();
  for (const char* name : {"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES",
                           "GPU_DEVICE_ORDINAL"}) {
    const Mask mask = MaskFor(Runtime::kRocm, &card, "", {{name, "0"}, {"PATH", "/bin"}}).value();
    EXPECT_THAT(mask.set, IsEmpty());
    EXPECT_THAT(mask.cleared, IsEmpty());
    EXPECT_EQ(mask.respected, std::string(name) + "=0");
    EXPECT_EQ(mask.expected_device, "");
  }
  const Mask two = MaskFor(Runtime::kRocm, nullptr, "",
                           {{"HIP_VISIBLE_DEVICES", "0"}, {"ROCR_VISIBLE_DEVICES", "1"}})
                       .value();
  EXPECT_EQ(two.respected, "ROCR_VISIBLE_DEVICES=1 HIP_VISIBLE_DEVICES=0");
}

TEST(MaskTest, AnExplicitPinBeatsTheEnvironment) {
  const Device card = Card();
  const Mask mask = MaskFor(Runtime::kRocm, &card, "1", {{"HIP_VISIBLE_DEVICES", "0"}}).value();
  EXPECT_THAT(mask.set, ElementsAre(Pair("ROCR_VISIBLE_DEVICES", "GPU-5b0f3a91c27d4e68")));
  EXPECT_THAT(mask.cleared, ::testing::Contains("HIP_VISIBLE_DEVICES"));
}

TEST(MaskTest, CudaCountsByBusAddress) {
  const Device card = Card();
  const Mask mask = MaskFor(Runtime::kCuda, &card, "", {{"HIP_VISIBLE_DEVICES", "0"}}).value();
  EXPECT_THAT(mask.set, ElementsAre(Pair("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
                                    Pair("CUDA_VISIBLE_DEVICES", "GPU-5b0f3a91c27d4e68")));
  EXPECT_THAT(mask.cleared, IsEmpty());
  EXPECT_EQ(mask.expected_device, "CUDA0");
  EXPECT_EQ(MaskFor(Runtime::kCuda, &card, "", {{"CUDA_VISIBLE_DEVICES", ""}}).value().respected,
            "CUDA_VISIBLE_DEVICES=")
      << "an empty mask hides all, and the user meant it";
}

TEST(MaskTest, VulkanIsPinnedByNumberOnly) {
  EXPECT_EQ(MaskFor(Runtime::kVulkan, nullptr, "", {}).value(), Mask{});
  for (const char* pin : {"1", "Vulkan1"}) {
    const Mask mask = MaskFor(Runtime::kVulkan, nullptr, pin, {}).value();
    EXPECT_THAT(mask.set, ElementsAre(Pair("GGML_VK_VISIBLE_DEVICES", "1")));
    EXPECT_EQ(mask.expected_device, "Vulkan0");
    EXPECT_EQ(mask.device_argument, "Vulkan0") << "a build may have another backend, too";
  }
  EXPECT_EQ(
      MaskFor(Runtime::kVulkan, nullptr, "", {{"GGML_VK_VISIBLE_DEVICES", "0"}}).value().respected,
      "GGML_VK_VISIBLE_DEVICES=0");
  const auto wrong = MaskFor(Runtime::kVulkan, nullptr, "GPU-5b0f3a91c27d4e68", {});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(wrong.error().message, HasSubstr("pinned by number"));
}

TEST(MaskTest, SyclTakesASelector) {
  EXPECT_THAT(MaskFor(Runtime::kSycl, nullptr, "SYCL2", {}).value().set,
              ElementsAre(Pair("ONEAPI_DEVICE_SELECTOR", "level_zero:2")));
  EXPECT_THAT(MaskFor(Runtime::kSycl, nullptr, "opencl:1", {}).value().set,
              ElementsAre(Pair("ONEAPI_DEVICE_SELECTOR", "opencl:1")));
  EXPECT_FALSE(MaskFor(Runtime::kSycl, nullptr, "arc", {}));
}

TEST(MaskTest, TheCpuBackendUsesNoDevice) {
  const Mask mask = MaskFor(Runtime::kCpu, nullptr, "", {{"HIP_VISIBLE_DEVICES", "0"}}).value();
  EXPECT_EQ(mask.device_argument, "none");
  EXPECT_THAT(mask.set, IsEmpty());
}

TEST(MaskTest, RocmAndCudaNeedADevice) {
  EXPECT_FALSE(MaskFor(Runtime::kRocm, nullptr, "", {}));
  EXPECT_FALSE(MaskFor(Runtime::kCuda, nullptr, "GPU-1", {}));
}

}  // namespace
}  // namespace rocm::gpu
